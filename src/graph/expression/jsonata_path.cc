// Location paths: steps, predicates, order-by, and tuple streams (the bindings that `@`, `#` and `%` carry along).
#include <algorithm>
#include <cmath>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/jsonata_evaluator.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

const Value& item_key() {
  static const Value kKey = Value::string("@");
  return kKey;
}

const Value& item_of(const Value& tuple) {
  static const Value kNothing{};
  const Value* found = tuple.find("@");
  return found == nullptr ? kNothing : *found;
}

Value tuple_of(const Value& item) { return Value::object({{item_key(), item}}); }

std::unexpected<FaultPtr> fault_at_sort(std::string_view code, const Node& sort, const Value& value,
                                        const Value& other) {
  auto made = fault(code, value);
  made.error()->position = sort.position;
  made.error()->value2 = other;
  return made;
}

}  // namespace

FramePtr Evaluator::frame_of_tuple(const FramePtr& frame, const Value& tuple) {
  FramePtr made = frames_.make(frame);
  for (const Member& member : tuple.members()) made->bind(member.key, member.value);
  return made;
}

// Follows names through objects without building sequences; gives up (false) at the first array.
Eval<bool> Evaluator::walk_simple_path(const Node& node, const Value& input, const FramePtr& frame, Value& result) {
  Value at = input;
  size_t i = 0;
  if (node.items[0]->type == NodeType::variable) {
    TRY_ASSIGN(at, variable(*node.items[0], input, frame));
    i = 1;
  }
  for (; i < node.items.size(); ++i) {
    if (at.is_array()) return false;
    const Value* next = at.find(node.items[i]->literal.as_string());
    if (next == nullptr) {
      result = Value();
      return true;
    }
    Value found = *next;
    at = std::move(found);
  }
  result = std::move(at);
  return true;
}

Eval<> Evaluator::path(const Node& node, const Value& input, const FramePtr& frame) {
  if (node.simple_path) {
    Value result;
    TRY_ASSIGN(bool walked, walk_simple_path(node, input, frame, result));
    if (walked) return result;
  }
  const std::vector<Node*>& steps = node.items;
  bool absolute = steps[0]->type == NodeType::variable;
  Value sequence = input.is_array() && !absolute ? input : Value::array({input}, kSequence);
  Value result;
  Value tuples;
  bool tuple_stream = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Node& step = *steps[i];
    tuple_stream = tuple_stream || step.tuple;
    if (i == 0 && step.constructs) {
      TRY_ASSIGN(result, evaluate(step, sequence, frame));
    } else if (tuple_stream) {
      TRY_ASSIGN(tuples, tuple_step(step, sequence, tuples, frame));
    } else {
      TRY_ASSIGN(result, path_step(step, sequence, frame, i + 1 == steps.size()));
    }
    if (!tuple_stream && (result.is_undefined() || (result.is_array() && result.size() == 0))) break;
    if (step.focus.is_undefined()) sequence = result;
  }
  if (tuple_stream) {
    if (node.tuple) {
      result = tuples;  // an outer path goes on with the bindings
    } else {
      std::vector<Value> items;
      items.reserve(tuples.size());
      for (const Value& tuple : tuples.items()) items.push_back(item_of(tuple));
      result = Value::array(std::move(items), kSequence);
    }
  }
  if (node.keep_singleton_array && result.is_array()) {
    if (result.marked(kConstructed) && !result.marked(kSequence)) result = Value::array({result}, kSequence);
    result = result.with_marks(result.marks() | kKeepSingleton);
  }
  if (node.group) return group(*node.group, node.group_position, tuple_stream ? tuples : result, frame);
  return result;
}

Eval<> Evaluator::path_step(const Node& step, const Value& input, const FramePtr& frame, bool last) {
  if (step.type == NodeType::sort) {
    TRY_ASSIGN(Value sorted, sort(step, input, frame));
    return stages(step.stages, std::move(sorted), frame);
  }
  std::vector<Value> results;
  for (const Value& item : input.items()) {
    TRY_ASSIGN(Value result, evaluate(step, item, frame));
    for (const Stage& stage : step.stages) {
      TRY_ASSIGN(result, filter(*stage.filter, result, frame));
    }
    if (!result.is_undefined()) results.push_back(std::move(result));
  }
  if (last && results.size() == 1 && results[0].is_array() && !results[0].marked(kSequence)) {
    return std::move(results[0]);
  }
  bool nested = std::ranges::any_of(results, [](const Value& r) { return r.is_array() && !r.marked(kConstructed); });
  if (!nested) return Value::array(std::move(results), kSequence);
  std::vector<Value> flat;
  for (Value& result : results) {
    if (!result.is_array() || result.marked(kConstructed)) {
      flat.push_back(std::move(result));
    } else {
      TRY(charge(static_cast<int64_t>((flat.size() + result.size()) * sizeof(Value))));
      flat.insert(flat.end(), result.items().begin(), result.items().end());
    }
  }
  return Value::array(std::move(flat), kSequence);
}

Eval<> Evaluator::stages(const std::vector<Stage>& stages, Value input, const FramePtr& frame) {
  for (const Stage& stage : stages) {
    if (stage.filter != nullptr) {
      TRY_ASSIGN(input, filter(*stage.filter, input, frame));
      continue;
    }
    std::vector<Value> numbered;
    for (const Value& tuple : input.items()) {
      std::vector<Member> members(tuple.members().begin(), tuple.members().end());
      members.push_back({stage.index, Value::integer(static_cast<int64_t>(numbered.size()))});
      numbered.push_back(Value::object(std::move(members)));
    }
    input = Value::array(std::move(numbered), input.marks());
  }
  return input;
}

Eval<> Evaluator::tuple_step(const Node& step, const Value& input, const Value& tuples, const FramePtr& frame) {
  std::vector<Value> out;
  if (step.type == NodeType::sort) {
    Value sorted;
    if (!tuples.is_undefined()) {
      TRY_ASSIGN(sorted, sort(step, tuples, frame));
    } else {
      TRY_ASSIGN(Value items, sort(step, input, frame));
      for (const Value& item : items.items()) {
        std::vector<Member> members{{item_key(), item}};
        if (!step.index.is_undefined()) {
          members.push_back({step.index, Value::integer(static_cast<int64_t>(out.size()))});
        }
        out.push_back(Value::object(std::move(members)));
      }
      sorted = Value::array(std::move(out), kSequence | kTupleStream);
    }
    return stages(step.stages, std::move(sorted), frame);
  }
  if (tuples.is_undefined()) {
    for (const Value& item : input.items()) {
      Value tuple = tuple_of(item);
      TRY_ASSIGN(Value found, evaluate(step, item, frame_of_tuple(frame, tuple)));
      TRY(expand_tuple(step, tuple, found, out));
    }
  } else {
    for (const Value& tuple : tuples.items()) {
      TRY_ASSIGN(Value found, evaluate(step, item_of(tuple), frame_of_tuple(frame, tuple)));
      TRY(expand_tuple(step, tuple, found, out));
    }
  }
  return stages(step.stages, Value::array(std::move(out), kSequence | kTupleStream), frame);
}

// One tuple for every value that the step found, with the bindings of `tuple` and the step's own.
Eval<> Evaluator::expand_tuple(const Node& step, const Value& tuple, const Value& found, std::vector<Value>& out) {
  if (found.is_undefined()) return Value();
  std::vector<Value> alone{found};
  std::span<const Value> items = found.is_array() ? found.items() : std::span<const Value>(alone);
  bool nested_stream = found.marked(kTupleStream);
  int64_t position = 0;
  for (const Value& item : items) {
    TRY(this->step());
    std::vector<Member> members(tuple.members().begin(), tuple.members().end());
    if (nested_stream) {
      members.insert(members.end(), item.members().begin(), item.members().end());
    } else {
      members.push_back({step.focus.is_undefined() ? item_key() : step.focus, item});
      if (!step.index.is_undefined()) members.push_back({step.index, Value::integer(position)});
      if (step.ancestor != nullptr) members.push_back({step.ancestor->label, item_of(tuple)});
    }
    ++position;
    out.push_back(Value::object(std::move(members)));
  }
  return Value();
}

Eval<> Evaluator::filter(const Node& predicate, const Value& input, const FramePtr& frame) {
  std::vector<Value> alone{input};
  std::span<const Value> items = input.is_array() ? input.items() : std::span<const Value>(alone);
  uint8_t marks = kSequence | (input.marked(kTupleStream) ? kTupleStream : 0);
  std::vector<Value> kept;
  if (predicate.type == NodeType::number) {
    double index = std::floor(predicate.literal.as_double());
    if (index < 0) index += static_cast<double>(items.size());
    if (index >= 0 && index < static_cast<double>(items.size())) {
      const Value& item = items[static_cast<size_t>(index)];
      if (item.is_array()) return item;
      if (!item.is_undefined()) kept.push_back(item);
    }
    return Value::array(std::move(kept), marks);
  }
  Value whole = input.is_array() ? input : Value::array({input}, kSequence);
  for (size_t i = 0; i < items.size(); ++i) {
    int times = 0;
    TRY_ASSIGN(bool selected, selects(predicate, whole, i, frame, times));
    for (; selected && times > 0; --times) kept.push_back(items[i]);
  }
  return Value::array(std::move(kept), marks);
}

// Whether the predicate keeps item `index`: by truth, or as often as its numbers name the item's position.
Eval<bool> Evaluator::selects(const Node& predicate, const Value& input, size_t index, const FramePtr& frame,
                              int& times) {
  const Value& item = input.items()[index];
  bool tuples = input.marked(kTupleStream);
  FramePtr scope = tuples ? frame_of_tuple(frame, item) : frame;
  TRY_ASSIGN(Value result, evaluate(predicate, tuples ? item_of(item) : item, scope));
  auto names_item = [&](const Value& number) {
    double place = std::floor(number.as_double());
    if (place < 0) place += static_cast<double>(input.size());
    return place == static_cast<double>(index);
  };
  TRY_ASSIGN(bool numeric, is_numeric(result));
  if (numeric) {
    times = names_item(result) ? 1 : 0;
    return times > 0;
  }
  TRY_ASSIGN(bool positions, all_numeric(result));
  if (positions) {
    times = static_cast<int>(std::ranges::count_if(result.items(), names_item));
    return times > 0;
  }
  times = 1;
  return truth(result);
}

Eval<> Evaluator::sort(const Node& node, const Value& input, const FramePtr& frame) {
  bool tuples = input.marked(kTupleStream);
  return sort_values(*this, input,
                     [&](const Value& a, const Value& b) { return comes_after(node, a, b, tuples, frame); });
}

Eval<bool> Evaluator::comes_after(const Node& node, const Value& a, const Value& b, bool tuples,
                                  const FramePtr& frame) {
  for (const Term& term : node.terms) {
    TRY_ASSIGN(Value left,
               evaluate(*term.expression, tuples ? item_of(a) : a, tuples ? frame_of_tuple(frame, a) : frame));
    TRY_ASSIGN(Value right,
               evaluate(*term.expression, tuples ? item_of(b) : b, tuples ? frame_of_tuple(frame, b) : frame));
    // What has no value goes last, whatever the direction.
    if (left.is_undefined() && right.is_undefined()) continue;
    if (left.is_undefined() || right.is_undefined()) return left.is_undefined();
    auto sortable = [](const Value& value) { return value.is_string() || value.is_number(); };
    if (!sortable(left) || !sortable(right)) return fault_at_sort("T2008", node, sortable(left) ? right : left, {});
    if (left.type() != right.type()) return fault_at_sort("T2007", node, left, right);
    int order = 0;
    if (left.is_string()) {
      order = compare_utf16(left.as_string(), right.as_string());
    } else {
      order = left.as_double() < right.as_double() ? -1 : left.as_double() > right.as_double() ? 1 : 0;
    }
    if (order != 0) return (term.descending ? -order : order) > 0;
  }
  return false;
}

namespace {

using After = std::function<Eval<bool>(const Value&, const Value&)>;

Eval<> merge_sort(Evaluator& evaluator, std::span<Value> items, std::span<Value> scratch, const After& after) {
  if (items.size() <= 1) return Value();
  size_t middle = items.size() / 2;
  TRY(merge_sort(evaluator, items.subspan(0, middle), scratch.subspan(0, middle), after));
  TRY(merge_sort(evaluator, items.subspan(middle), scratch.subspan(middle), after));
  size_t left = 0;
  size_t right = middle;
  for (size_t out = 0; out < items.size(); ++out) {
    TRY(evaluator.step());
    bool take_right = left == middle;
    if (left < middle && right < items.size()) {
      TRY_ASSIGN(take_right, after(items[left], items[right]));
    }
    scratch[out] = std::move(items[take_right ? right++ : left++]);
  }
  std::ranges::move(scratch, items.begin());
  return Value();
}

}  // namespace

Eval<> sort_values(Evaluator& evaluator, const Value& array, const After& after) {
  if (array.size() <= 1) return array;
  std::vector<Value> items(array.items().begin(), array.items().end());
  std::vector<Value> scratch(items.size());
  TRY(merge_sort(evaluator, items, scratch, after));
  return Value::array(std::move(items));
}

}  // namespace hearth::expression
