// $sum $count $max $min $average; $append $distinct $reverse $shuffle $sort $zip; $map $filter $single $reduce $sift
// $each.
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

Eval<> sum(const Call& call) {
  if (call[0].is_undefined()) return Value();
  double total = 0;
  for (const Value& item : call[0].items()) total += item.as_double();
  return Value::number(total);
}

Eval<> count(const Call& call) { return Value::integer(static_cast<int64_t>(call[0].size())); }

// Math.max and Math.min: NaN if any item is.
Eval<> extreme(const Call& call, double sign) {
  if (call[0].size() == 0) return Value();
  Value best = call[0].items()[0];
  for (const Value& item : call[0].items()) {
    if (std::isnan(item.as_double())) return item;
    if (sign * item.as_double() > sign * best.as_double()) best = item;
  }
  return Value::number(best.as_double());
}

Eval<> max(const Call& call) { return extreme(call, 1); }
Eval<> min(const Call& call) { return extreme(call, -1); }

Eval<> average(const Call& call) {
  if (call[0].size() == 0) return Value();
  TRY_ASSIGN(Value total, sum(call));
  return Value::number(total.as_double() / static_cast<double>(call[0].size()));
}

Eval<> append(const Call& call) {
  TRY(call.evaluator.charge(static_cast<int64_t>((call[0].size() + call[1].size() + 2) * sizeof(Value))));
  return Evaluator::append(call[0], call[1]);
}

Eval<> distinct(const Call& call) {
  const Value& array = call[0];
  if (!array.is_array() || array.size() <= 1) return array;
  std::vector<Value> kept;
  for (const Value& item : array.items()) {
    bool known = false;
    for (const Value& other : kept) {
      TRY(call.evaluator.step());
      if ((known = deep_equal(item, other))) break;
    }
    if (!known) kept.push_back(item);
  }
  return Value::array(std::move(kept), array.marks() & kSequence);
}

Eval<> reverse(const Call& call) {
  if (call[0].size() <= 1) return call[0];
  std::vector<Value> items(call[0].items().begin(), call[0].items().end());
  std::ranges::reverse(items);
  return Value::array(std::move(items));
}

// Fisher–Yates, inside out.
Eval<> shuffle(const Call& call) {
  if (call[0].size() <= 1) return call[0];
  std::vector<Value> items(call[0].items().begin(), call[0].items().end());
  for (size_t i = 1; i < items.size(); ++i) {
    TRY_ASSIGN(uint64_t bits, call.evaluator.random());
    std::swap(items[i], items[bits % (i + 1)]);
  }
  return Value::array(std::move(items));
}

// What JavaScript's `if` takes for true: a comparator's result is not JSONata's truth.
bool is_truthy(const Value& value) {
  switch (value.type()) {
    case Type::undefined:
    case Type::null:
      return false;
    case Type::boolean:
      return value.is_true();
    case Type::number:
      return value.as_double() != 0 && !std::isnan(value.as_double());
    case Type::string:
      return value.size() > 0;
    default:
      return true;
  }
}

Eval<> sort(const Call& call) {
  const Value& array = call[0];
  if (array.size() <= 1) return array;
  if (call[1].is_function()) {
    return sort_values(call.evaluator, array, [&](const Value& a, const Value& b) -> Eval<bool> {
      TRY_ASSIGN(Value after, call.evaluator.apply(call[1], {a, b}, Value::null(), call.frame));
      return is_truthy(after);
    });
  }
  TRY_ASSIGN(bool numbers, Evaluator::all_numeric(array));
  if (numbers) {
    return sort_values(call.evaluator, array,
                       [](const Value& a, const Value& b) -> Eval<bool> { return a.as_double() > b.as_double(); });
  }
  if (!std::ranges::all_of(array.items(), &Value::is_string)) return fault("D3070");
  return sort_values(call.evaluator, array, [](const Value& a, const Value& b) -> Eval<bool> {
    return compare_utf16(a.as_string(), b.as_string()) > 0;
  });
}

Eval<> zip(const Call& call) {
  size_t length = call.arguments.empty() ? 0 : std::numeric_limits<size_t>::max();
  for (const Value& array : call.arguments) length = std::min(length, array.is_array() ? array.size() : 0);
  TRY(call.evaluator.charge(static_cast<int64_t>(length * (call.arguments.size() + 8) * sizeof(Value))));
  std::vector<Value> tuples;
  for (size_t i = 0; i < length; ++i) {
    std::vector<Value> tuple;
    for (const Value& array : call.arguments) tuple.push_back(array.items()[i]);
    tuples.push_back(Value::array(std::move(tuple)));
  }
  return Value::array(std::move(tuples));
}

// Calls `function` with item, index and array, as many as it takes.
Eval<> visit(const Call& call, const Value& array, size_t index) {
  return call.evaluator.apply_some(call[1], {array.items()[index], Value::integer(static_cast<int64_t>(index)), array},
                                   call.frame);
}

Eval<> map(const Call& call) {
  const Value array = call[0];
  if (array.is_undefined()) return Value();
  std::vector<Value> mapped;
  for (size_t i = 0; i < array.size(); ++i) {
    TRY_ASSIGN(Value result, visit(call, array, i));
    if (!result.is_undefined()) mapped.push_back(std::move(result));
  }
  return Value::array(std::move(mapped), kSequence);
}

Eval<> filter(const Call& call) {
  const Value array = call[0];
  if (array.is_undefined()) return Value();
  std::vector<Value> kept;
  for (size_t i = 0; i < array.size(); ++i) {
    TRY_ASSIGN(Value result, visit(call, array, i));
    TRY_ASSIGN(bool keep, call.evaluator.truth(result));
    if (keep) kept.push_back(array.items()[i]);
  }
  return Value::array(std::move(kept), kSequence);
}

Eval<> single(const Call& call) {
  const Value array = call[0];
  if (array.is_undefined()) return Value();
  const Value* found = nullptr;
  for (size_t i = 0; i < array.size(); ++i) {
    bool matches = true;
    if (!call[1].is_undefined()) {
      TRY_ASSIGN(Value result, visit(call, array, i));
      TRY_ASSIGN(matches, call.evaluator.truth(result));
    }
    if (!matches) continue;
    if (found != nullptr) return fault("D3138");
    found = &array.items()[i];
  }
  if (found == nullptr) return fault("D3139");
  return *found;
}

Eval<> reduce(const Call& call) {
  const Value array = call[0];
  if (array.is_undefined()) return Value();
  int arity = Evaluator::arity(call[1]);
  if (arity < 2) return fault("D3050");
  bool first_is_start = call[2].is_undefined() && array.size() > 0;
  Value result = first_is_start ? array.items()[0] : call[2];
  for (size_t i = first_is_start ? 1 : 0; i < array.size(); ++i) {
    std::vector<Value> arguments{result, array.items()[i]};
    if (arity >= 3) arguments.push_back(Value::integer(static_cast<int64_t>(i)));
    if (arity >= 4) arguments.push_back(array);
    TRY_ASSIGN(result, call.evaluator.apply(call[1], std::move(arguments), Value::null(), call.frame));
  }
  return result;
}

Eval<> sift(const Call& call) {
  const Value object = call[0];
  if (object.is_undefined()) return Value();
  if (!call[1].is_function()) return fault("T1006");
  std::vector<Member> kept;
  for (const Member& member : object.members()) {
    TRY_ASSIGN(Value result, call.evaluator.apply_some(call[1], {member.value, member.key, object}, call.frame));
    TRY_ASSIGN(bool keep, call.evaluator.truth(result));
    if (keep) kept.push_back(member);
  }
  if (kept.empty()) return Value();
  return Value::object(std::move(kept));
}

Eval<> each(const Call& call) {
  const Value object = call[0];
  std::vector<Value> results;
  for (const Member& member : object.members()) {
    TRY_ASSIGN(Value result, call.evaluator.apply_some(call[1], {member.value, member.key, object}, call.frame));
    if (!result.is_undefined()) results.push_back(std::move(result));
  }
  return Value::array(std::move(results), kSequence);
}

constexpr Builtin kAggregates[] = {
    {"sum", sum, "<a<n>:n>", 1, 1}, {"count", count, "<a:n>", 1, 1},        {"max", max, "<a<n>:n>", 1, 1},
    {"min", min, "<a<n>:n>", 1, 1}, {"average", average, "<a<n>:n>", 1, 1},
};

constexpr Builtin kArrays[] = {
    {"append", append, "<xx:a>", 2, 2},  {"distinct", distinct, "<x:x>", 1, 1}, {"reverse", reverse, "<a:a>", 1, 1},
    {"shuffle", shuffle, "<a:a>", 1, 1}, {"sort", sort, "<af?:a>", 2, 2},       {"zip", zip, "<a+>", 0, 0},
};

constexpr Builtin kHigherOrder[] = {
    {"map", map, "<af>", 2, 2},           {"filter", filter, "<af>", 2, 2}, {"single", single, "<af?>", 2, 2},
    {"reduce", reduce, "<afj?:j>", 3, 3}, {"sift", sift, "<o-f?:o>", 2, 2}, {"each", each, "<o-f:a>", 2, 2},
};

}  // namespace

std::span<const Builtin> aggregate_builtins() { return kAggregates; }
std::span<const Builtin> array_builtins() { return kArrays; }
std::span<const Builtin> higher_order_builtins() { return kHigherOrder; }

}  // namespace hearth::expression
