#include "graph/expression/jsonata_evaluator.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

constexpr double kMaxRange = 1e7;

const Value& root_name() {
  static const Value kRoot = Value::string("$");
  return kRoot;
}

bool strictly_equal(const Value& left, const Value& right) {
  bool nested = left.is_array() || left.is_object() || left.is_function();
  if (nested) return left.type() == right.type() && left.node() == right.node();
  return deep_equal(left, right);
}

Eval<> with_operator(Eval<> result, const Node& node, std::string_view spelling) {
  if (!result) {
    result.error()->position = node.position;
    result.error()->token = spelling;
  }
  return result;
}

std::string_view spelling_of(Op op) {
  static constexpr std::string_view kSpellings[] = {"",   "+", "-",  "*",  "/",  "%",  "=",   "!=", "<",
                                                    "<=", ">", ">=", "&",  "in", "..", "and", "or", ".",
                                                    "[",  "{", "^",  ":=", "@",  "#",  "~>"};
  return kSpellings[static_cast<size_t>(op)];
}

}  // namespace

Evaluator::Evaluator(const Program& program, const Surroundings& surroundings)
    : program_(program), surroundings_(surroundings), bytes_before_(live_bytes()) {}

Eval<> Evaluator::run(const Value& input, std::span<const std::pair<std::string_view, Value>> bindings) {
  FramePtr frame = frames_.make(FramePtr());
  for (const auto& [name, value] : bindings) frame->bind(Value::string(name), value);
  frame->bind(root_name(), input);
  if (input.is_array() && !input.marked(kSequence)) {
    // An array given as the input is one value, not a sequence of them.
    return evaluate(*program_.root, Value::array({input}, kSequence | kOuterWrapper), frame);
  }
  return evaluate(*program_.root, input, frame);
}

Eval<> Evaluator::step() {
  if (++steps_ > surroundings_.limits.steps) return fault_steps();
  if (steps_ % kStepsPerDeadlineCheck == 0 && surroundings_.expired && surroundings_.expired()) return fault_deadline();
  return charge(0);
}

Eval<> Evaluator::charge(int64_t bytes) const {
  if (live_bytes() - bytes_before_ + bytes > surroundings_.limits.bytes) return fault_memory();
  return Value();
}

Eval<uint64_t> Evaluator::random() const {
  if (surroundings_.random) return surroundings_.random();
  auto missing = fault("");
  missing.error()->kind = Kind::internal;
  missing.error()->message = "this evaluation was given no source of randomness";
  return missing;
}

Eval<bool> Evaluator::is_numeric(const Value& value) {
  if (!value.is_number()) return false;
  double number = value.as_double();
  if (std::isinf(number)) return fault("D1001", value);
  return !std::isnan(number);
}

Eval<bool> Evaluator::all_numeric(const Value& value) {
  if (!value.is_array()) return false;
  for (const Value& item : value.items()) {
    TRY_ASSIGN(bool numeric, is_numeric(item));
    if (!numeric) return false;
  }
  return true;
}

Eval<bool> Evaluator::truth(const Value& value) {
  switch (value.type()) {
    case Type::array: {
      for (const Value& item : value.items()) {
        TRY(step());
        TRY_ASSIGN(bool is_true, truth(item));
        if (is_true) return true;
      }
      return false;
    }
    case Type::string:
    case Type::object:
      return value.size() > 0;
    case Type::number: {
      TRY_ASSIGN(bool numeric, is_numeric(value));
      return numeric && value.as_double() != 0;
    }
    case Type::boolean:
      return value.is_true();
    case Type::function: {
      // The reference's lambdas and built-ins are objects with members, its regular expressions are not.
      Function::Form form = function_of(value)->form;
      return form != Function::Form::regex && form != Function::Form::next_match;
    }
    case Type::undefined:
    case Type::null:
      break;
  }
  return false;
}

Value Evaluator::append(const Value& left, const Value& right) {
  if (left.is_undefined()) return right;
  if (right.is_undefined()) return left;
  std::vector<Value> joined;
  joined.reserve((left.is_array() ? left.size() : 1) + (right.is_array() ? right.size() : 1));
  for (const Value* side : {&left, &right}) {
    if (side->is_array()) {
      joined.insert(joined.end(), side->items().begin(), side->items().end());
    } else {
      joined.push_back(*side);
    }
  }
  return Value::array(std::move(joined));
}

Eval<> Evaluator::evaluate(const Node& node, const Value& input, const FramePtr& frame) {
  if (depth_ >= surroundings_.limits.depth) return fault_depth();
  TRY(step());
  ++depth_;
  TRY_ASSIGN(Value result, dispatch(node, input, frame));
  for (const Stage& predicate : node.predicates) {
    TRY_ASSIGN(result, filter(*predicate.filter, result, frame));
  }
  if (node.group && node.type != NodeType::path) {
    TRY_ASSIGN(result, group(*node.group, node.group_position, result, frame));
  }
  --depth_;
  if (!result.is_array()) return result;
  if (result.depth() > kMaxValueDepth) return fault_memory();
  if (!result.marked(kSequence) || result.marked(kTupleStream)) return result;
  uint8_t marks = result.marks() | (node.keep_array ? kKeepSingleton : 0);
  if (result.size() == 0) return Value();
  if (result.size() == 1 && (marks & kKeepSingleton) == 0) return Value(result.items()[0]);
  return marks == result.marks() ? result : result.with_marks(marks);
}

Eval<> Evaluator::dispatch(const Node& node, const Value& input, const FramePtr& frame) {
  switch (node.type) {
    case NodeType::path:
      return path(node, input, frame);
    case NodeType::binary:
      return binary(node, input, frame);
    case NodeType::unary:
      return unary(node, input, frame);
    case NodeType::name:
      return lookup_member(*this, input, node.literal.as_string());
    case NodeType::wildcard:
      return wildcard(input);
    case NodeType::descendant:
      return descendants(input);
    case NodeType::parent: {
      const Value* found = frame->lookup(node.slot->label.as_string());
      return found == nullptr ? Value() : *found;
    }
    case NodeType::condition: {
      TRY_ASSIGN(Value condition, evaluate(*node.lhs, input, frame));
      TRY_ASSIGN(bool holds, truth(condition));
      const Node* branch = holds ? node.rhs : node.third;
      return branch == nullptr ? Value() : evaluate(*branch, input, frame);
    }
    case NodeType::block: {
      FramePtr inner = frames_.make(frame);
      Value result;
      for (const Node* item : node.items) {
        TRY_ASSIGN(result, evaluate(*item, input, inner));
      }
      return result;
    }
    case NodeType::bind: {
      TRY_ASSIGN(Value value, evaluate(*node.rhs, input, frame));
      frame->bind(node.lhs->literal, value);
      return value;
    }
    case NodeType::function:
      return call(node, input, frame, nullptr);
    case NodeType::variable:
      return variable(node, input, frame);
    case NodeType::lambda:
      return make_lambda(node, input, frame);
    case NodeType::partial:
      return partial(node, input, frame);
    case NodeType::apply:
      return chain(node, input, frame);
    case NodeType::regex:
    case NodeType::transform: {
      auto* made = new Function(node.type == NodeType::regex ? Function::Form::regex : Function::Form::transform);
      made->node = &node;
      made->frame = frame;
      return Value::function(made);
    }
    default:
      return node.literal;
  }
}

Eval<> Evaluator::variable(const Node& node, const Value& input, const FramePtr& frame) {
  std::string_view name = node.literal.as_string();
  if (name.empty()) return input.marked(kOuterWrapper) ? Value(input.items()[0]) : input;
  if (const Value* found = frame->lookup(name)) return *found;
  if (node.builtin == nullptr) return Value();
  auto* made = new Function(Function::Form::builtin);
  made->builtin = node.builtin;
  return Value::function(made);
}

Eval<> Evaluator::binary(const Node& node, const Value& input, const FramePtr& frame) {
  TRY_ASSIGN(Value lhs, evaluate(*node.lhs, input, frame));
  if (node.op == Op::logical_and || node.op == Op::logical_or) {
    TRY_ASSIGN(bool left, truth(lhs));
    if (left == (node.op == Op::logical_or)) return Value::boolean(left);
    TRY_ASSIGN(Value rhs, evaluate(*node.rhs, input, frame));
    TRY_ASSIGN(bool right, truth(rhs));
    return Value::boolean(right);
  }
  TRY_ASSIGN(Value rhs, evaluate(*node.rhs, input, frame));
  return with_operator(operate(node.op, lhs, rhs), node, spelling_of(node.op));
}

Eval<> Evaluator::operate(Op op, const Value& lhs, const Value& rhs) {
  switch (op) {
    case Op::equal:
    case Op::not_equal:
      // Without one side neither = nor != holds.
      if (lhs.is_undefined() || rhs.is_undefined()) return Value::boolean(false);
      return Value::boolean(deep_equal(lhs, rhs) == (op == Op::equal));
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return compare(op, lhs, rhs);
    case Op::concat:
      return concat(lhs, rhs);
    case Op::range:
      return range(lhs, rhs);
    case Op::in: {
      if (lhs.is_undefined() || rhs.is_undefined()) return Value::boolean(false);
      if (!rhs.is_array()) return Value::boolean(strictly_equal(lhs, rhs));
      auto items = rhs.items();
      return Value::boolean(std::ranges::any_of(items, [&](const Value& item) { return strictly_equal(item, lhs); }));
    }
    default:
      return arithmetic(op, lhs, rhs);
  }
}

Eval<> Evaluator::arithmetic(Op op, const Value& lhs, const Value& rhs) {
  if (!lhs.is_undefined()) {
    TRY_ASSIGN(bool numeric, is_numeric(lhs));
    if (!numeric) return fault("T2001", lhs);
  }
  if (!rhs.is_undefined()) {
    TRY_ASSIGN(bool numeric, is_numeric(rhs));
    if (!numeric) return fault("T2002", rhs);
  }
  if (lhs.is_undefined() || rhs.is_undefined()) return Value();
  double a = lhs.as_double();
  double b = rhs.as_double();
  switch (op) {
    case Op::add:
      return Value::number(a + b);
    case Op::subtract:
      return Value::number(a - b);
    case Op::multiply:
      return Value::number(a * b);
    case Op::divide:
      return Value::number(a / b);
    default:
      return Value::number(std::fmod(a, b));
  }
}

Eval<> Evaluator::compare(Op op, const Value& lhs, const Value& rhs) {
  auto comparable = [](const Value& value) { return value.is_undefined() || value.is_string() || value.is_number(); };
  if (!comparable(lhs) || !comparable(rhs)) {
    return fault("T2010", lhs.is_string() || lhs.is_number() ? rhs : lhs);
  }
  if (lhs.is_undefined() || rhs.is_undefined()) return Value();
  if (lhs.type() != rhs.type()) {
    auto mixed = fault("T2009", lhs);
    mixed.error()->value2 = rhs;
    return mixed;
  }
  if (lhs.is_string()) {
    int order = compare_utf16(lhs.as_string(), rhs.as_string());
    bool holds = op == Op::less         ? order < 0
                 : op == Op::less_equal ? order <= 0
                 : op == Op::greater    ? order > 0
                                        : order >= 0;
    return Value::boolean(holds);
  }
  double a = lhs.as_double();
  double b = rhs.as_double();
  return Value::boolean(op == Op::less ? a < b : op == Op::less_equal ? a <= b : op == Op::greater ? a > b : a >= b);
}

Eval<> Evaluator::range(const Value& lhs, const Value& rhs) {
  auto whole = [](const Value& value) {
    return value.is_number() && std::isfinite(value.as_double()) && std::trunc(value.as_double()) == value.as_double();
  };
  if (!lhs.is_undefined() && !whole(lhs)) return fault("T2003", lhs);
  if (!rhs.is_undefined() && !whole(rhs)) return fault("T2004", rhs);
  if (lhs.is_undefined() || rhs.is_undefined()) return Value();
  double from = lhs.as_double();
  double size = rhs.as_double() - from + 1;
  if (size < 1) return Value();
  if (size > kMaxRange) return fault("D2014", Value::number(size));
  TRY(charge(static_cast<int64_t>(size) * static_cast<int64_t>(sizeof(Value))));
  std::vector<Value> items(static_cast<size_t>(size));
  for (size_t i = 0; i < items.size(); ++i) items[i] = Value::number(from + static_cast<double>(i));
  return Value::array(std::move(items), kSequence);
}

Eval<> Evaluator::concat(const Value& lhs, const Value& rhs) {
  std::string text;
  for (const Value* side : {&lhs, &rhs}) {
    if (side->is_undefined()) continue;
    if (side->is_string()) {
      TRY(charge(static_cast<int64_t>(text.size() + side->size())));
      text += side->as_string();
      continue;
    }
    TRY_ASSIGN(std::string printed, stringify(*this, *side, false));
    text += printed;
  }
  return Value::string(text);
}

Eval<> Evaluator::unary(const Node& node, const Value& input, const FramePtr& frame) {
  if (node.op == Op::bracket) return array(node, input, frame);
  if (node.op == Op::brace) return group(node.pairs, node.position, input, frame);
  TRY_ASSIGN(Value operand, evaluate(*node.lhs, input, frame));
  if (operand.is_undefined()) return operand;
  TRY_ASSIGN(bool numeric, is_numeric(operand));
  if (!numeric) return with_operator(fault("D1002", operand), node, "-");
  return Value::number(-operand.as_double());
}

Eval<> Evaluator::array(const Node& node, const Value& input, const FramePtr& frame) {
  uint8_t marks = node.constructs ? kConstructed : 0;
  std::vector<Value> items;
  for (const Node* item : node.items) {
    TRY_ASSIGN(Value value, evaluate(*item, input, frame));
    if (value.is_undefined()) continue;
    bool nested = item->type == NodeType::unary && item->op == Op::bracket;
    if (!value.is_array() || nested) {
      items.push_back(std::move(value));
    } else if (node.items.size() == 1) {
      return value.with_marks(marks);  // [1..n]: the range itself, not a copy
    } else {
      TRY(charge(static_cast<int64_t>((items.size() + value.size()) * sizeof(Value))));
      items.insert(items.end(), value.items().begin(), value.items().end());
    }
  }
  return Value::array(std::move(items), marks);
}

Eval<> Evaluator::flatten(const Value& input, std::vector<Value>& flat) {
  TRY(step());
  if (!input.is_array()) {
    flat.push_back(input);
    return Value();
  }
  for (const Value& item : input.items()) TRY(flatten(item, flat));
  return Value();
}

Eval<> Evaluator::wildcard(const Value& given) {
  const Value& input = given.marked(kOuterWrapper) && given.size() > 0 ? given.items()[0] : given;
  std::vector<Value> found;
  uint8_t marks = kSequence;
  auto take = [&](const Value& value) -> Eval<> {
    if (value.is_array()) marks = 0;  // the reference's append() makes it a plain array
    return flatten(value, found);
  };
  for (const Member& member : input.members()) TRY(take(member.value));
  for (const Value& item : input.items()) TRY(take(item));
  return Value::array(std::move(found), marks);
}

Eval<> Evaluator::collect_descendants(const Value& input, std::vector<Value>& found) {
  TRY(step());
  if (!input.is_array()) found.push_back(input);
  for (const Value& item : input.items()) TRY(collect_descendants(item, found));
  for (const Member& member : input.members()) TRY(collect_descendants(member.value, found));
  return Value();
}

Eval<> Evaluator::descendants(const Value& input) {
  if (input.is_undefined()) return Value();
  std::vector<Value> found;
  TRY(collect_descendants(input, found));
  if (found.size() == 1) return std::move(found[0]);
  return Value::array(std::move(found), kSequence);
}

namespace {

// fn.append onto what a group has gathered, in place.
void gather(Value& data, const Value& item) {
  if (data.is_undefined()) {
    data = item;
    return;
  }
  if (item.is_undefined()) return;
  if (!data.is_array()) data = Value::array({data});
  if (data.marks() != 0) data = data.with_marks(0);
  if (!item.is_array()) {
    data.push_back(item);
    return;
  }
  Value hold = item;  // data may be the same array
  for (const Value& each : hold.items()) data.push_back(each);
}

// One tuple of the tuples of a group: each binding gathers its values.
Value reduce_tuples(const Value& data) {
  if (!data.is_array()) return data;
  std::vector<Member> reduced(data.items()[0].members().begin(), data.items()[0].members().end());
  for (size_t i = 1; i < data.size(); ++i) {
    for (const Member& member : data.items()[i].members()) {
      auto place = std::ranges::find(reduced, member.name(), &Member::name);
      if (place == reduced.end()) {
        reduced.push_back(member);
      } else {
        gather(place->value, member.value);
      }
    }
  }
  return Value::object(std::move(reduced));
}

struct Gathered {
  Value key;
  size_t pair;
  Value data;
};

}  // namespace

Eval<> Evaluator::group(const std::vector<Pair>& pairs, size_t position, const Value& input, const FramePtr& frame) {
  bool tuples = input.marked(kTupleStream);
  std::vector<Value> alone{input};
  std::span<const Value> items = input.is_array() ? input.items() : std::span<const Value>(alone);
  if (input.is_array() && items.empty()) {
    alone[0] = Value();  // an object constructor makes its object even of nothing
    items = alone;
  }
  std::vector<Gathered> groups;
  std::map<std::string_view, size_t> by_key;
  for (const Value& item : items) {
    FramePtr scope = tuples ? frame_of_tuple(frame, item) : frame;
    const Value* context = tuples ? item.find("@") : &item;
    for (size_t i = 0; i < pairs.size(); ++i) {
      TRY_ASSIGN(Value key, evaluate(*pairs[i].key, context == nullptr ? Value() : *context, scope));
      if (key.is_undefined()) continue;
      if (!key.is_string()) {
        auto refused = fault("T1003", key);
        refused.error()->position = position;
        return refused;
      }
      auto place = by_key.find(key.as_string());
      if (place == by_key.end()) {
        groups.push_back({key, i, item});
        by_key.emplace(groups.back().key.as_string(), groups.size() - 1);
        continue;
      }
      if (groups[place->second].pair != i) {
        auto refused = fault("D1009", key);
        refused.error()->position = position;
        return refused;
      }
      gather(groups[place->second].data, item);
    }
  }
  std::vector<Member> members;
  for (Gathered& gathered : groups) {
    Value context = gathered.data;
    FramePtr scope = frame;
    if (tuples) {
      Value tuple = reduce_tuples(gathered.data);
      const Value* item = tuple.find("@");
      context = item == nullptr ? Value() : *item;
      scope = frame_of_tuple(frame, tuple);
    }
    TRY_ASSIGN(Value value, evaluate(*pairs[gathered.pair].value, context, scope));
    if (!value.is_undefined()) members.push_back({gathered.key, std::move(value)});
  }
  return Value::object(std::move(members));
}

}  // namespace hearth::expression
