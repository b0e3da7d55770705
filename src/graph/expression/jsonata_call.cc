// Functions: calls, tail calls, partial application, chaining, and the transform operator.
#include <algorithm>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/jsonata_evaluator.h"
#include "graph/expression/jsonata_signature.h"
#include "graph/expression/object_data.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

// What a procedure is called in messages: the variable's name, or the first name of a path.
std::string name_of(const Node& procedure) {
  const Node& named = procedure.type == NodeType::path ? *procedure.items[0] : procedure;
  return named.literal.is_string() ? std::string(named.literal.as_string()) : "";
}

bool is_thunk(const Value& value) {
  const Function* function = function_of(value);
  return function != nullptr && function->form == Function::Form::lambda && function->node->thunk;
}

std::unexpected<FaultPtr> at(const Node& node, std::string_view code, std::string token = {}, Value value = {}) {
  auto made = fault(code, std::move(value));
  made.error()->position = node.position;
  made.error()->token = std::move(token);
  return made;
}

Eval<> named(Eval<> result, const Node& node, const std::string& name) {
  if (!result) {
    if (result.error()->position == 0) result.error()->position = node.position;
    if (result.error()->token.empty()) result.error()->token = name;
  }
  return result;
}

const Signature& transform_signature() {
  static const Signature kSignature = *Signature::parse("<(oa):o>");
  return kSignature;
}

}  // namespace

int Evaluator::arity(const Value& value) {
  const Function& function = *function_of(value);
  switch (function.form) {
    case Function::Form::builtin:
      return function.builtin->arity;
    case Function::Form::lambda:
      return static_cast<int>(function.unbound.size());
    case Function::Form::partial:
      return static_cast<int>(function.open.size());
    case Function::Form::regex:
      return 2;
    case Function::Form::next_match:
      return 0;
    case Function::Form::transform:
    case Function::Form::chain:
      break;
  }
  return 1;
}

Value Evaluator::make_lambda(const Node& node, const Value& input, const FramePtr& frame) {
  auto* made = new Function(Function::Form::lambda);
  made->node = &node;
  made->input = input;
  made->frame = frame;
  made->unbound.assign(node.items.begin(), node.items.end());
  return Value::function(made);
}

Eval<bool> Evaluator::names_function(const Node& procedure, const FramePtr& frame, std::string& name) const {
  if (procedure.type != NodeType::path) return false;
  name = name_of(procedure);
  const Value* bound = frame->lookup(name);
  return bound != nullptr ? !bound->is_undefined() : find_builtin(name) != nullptr;
}

Eval<> Evaluator::call(const Node& node, const Value& input, const FramePtr& frame, const Value* piped) {
  const Node& procedure = *node.lhs;
  TRY_ASSIGN(Value function, evaluate(procedure, input, frame));
  std::string name;
  if (function.is_undefined()) {
    TRY_ASSIGN(bool forgot_dollar, names_function(procedure, frame, name));
    if (forgot_dollar) return at(node, "T1005", name);
  }
  std::vector<Value> arguments;
  arguments.reserve(node.items.size() + 1);
  if (piped != nullptr) arguments.push_back(*piped);
  for (const Node* argument : node.items) {
    TRY_ASSIGN(Value value, evaluate(*argument, input, frame));
    arguments.push_back(std::move(value));
  }
  return named(apply(function, std::move(arguments), input, frame), node, name_of(procedure));
}

Eval<> Evaluator::apply(const Value& function, std::vector<Value> arguments, const Value& context,
                        const FramePtr& frame) {
  TRY_ASSIGN(Value result, call_once(function, std::move(arguments), context, frame));
  while (is_thunk(result)) {
    TRY(step());
    const Function& thunk = *function_of(result);
    const Node& body = *thunk.node->lhs;
    TRY_ASSIGN(Value next, evaluate(*body.lhs, thunk.input, thunk.frame));
    std::vector<Value> values;
    for (const Node* argument : body.items) {
      TRY_ASSIGN(Value value, evaluate(*argument, thunk.input, thunk.frame));
      values.push_back(std::move(value));
    }
    TRY_ASSIGN(result, named(call_once(next, std::move(values), context, frame), body, name_of(*body.lhs)));
  }
  return result;
}

Eval<> Evaluator::apply_some(const Value& function, std::vector<Value> arguments, const FramePtr& frame) {
  auto most = static_cast<size_t>(std::max(1, arity(function)));
  if (arguments.size() > most) arguments.resize(most);
  return apply(function, std::move(arguments), Value::null(), frame);
}

Eval<> Evaluator::call_once(const Value& value, std::vector<Value> arguments, const Value& context,
                            const FramePtr& frame) {
  if (!value.is_function()) return fault("T1006");
  const Function& function = *function_of(value);
  switch (function.form) {
    case Function::Form::builtin: {
      TRY_ASSIGN(arguments, signature_of(*function.builtin).validate(std::move(arguments), context));
      Call call{*this, arguments, context, frame};
      return function.builtin->run(call);
    }
    case Function::Form::lambda: {
      if (function.with_signature && function.node->signature != nullptr) {
        TRY_ASSIGN(arguments, function.node->signature->validate(std::move(arguments), context));
      }
      return call_lambda(function, arguments);
    }
    case Function::Form::partial:
      return call_partial(function, std::move(arguments), frame);
    case Function::Form::regex: {
      if (arguments.empty() || !arguments[0].is_string()) return Value();
      size_t from = 0;
      if (arguments.size() > 1 && arguments[1].is_number() && arguments[1].as_double() > 0) {
        from = offset_of_utf16_unit(arguments[0].as_string(), static_cast<size_t>(arguments[1].as_double()));
      }
      return regex_match(function, arguments[0], from);
    }
    case Function::Form::next_match:
      return call_next_match(function);
    case Function::Form::transform: {
      TRY_ASSIGN(arguments, transform_signature().validate(std::move(arguments), context));
      return transform(function, arguments[0]);
    }
    case Function::Form::chain:
      break;
  }
  arguments.resize(1);
  TRY_ASSIGN(Value first, apply(function.given[0], std::move(arguments), Value::null(), frame));
  return apply(function.given[1], {std::move(first)}, Value::null(), frame);
}

Eval<> Evaluator::call_lambda(const Function& lambda, const std::vector<Value>& arguments) {
  FramePtr scope = frames_.make(lambda.frame);
  for (size_t i = 0; i < lambda.unbound.size(); ++i) {
    scope->bind(lambda.unbound[i]->literal, i < arguments.size() ? arguments[i] : Value());
  }
  return evaluate(*lambda.node->lhs, lambda.input, scope);
}

Eval<> Evaluator::call_partial(const Function& partial, std::vector<Value> arguments, const FramePtr& frame) {
  std::vector<Value> all = partial.given;
  for (size_t i = 0; i < partial.open.size() && i < arguments.size(); ++i) {
    all[partial.open[i]] = std::move(arguments[i]);
  }
  return apply(partial.input, std::move(all), Value::null(), frame);
}

// f(?, x): the given arguments are kept, the rest is taken at the call.
Eval<> Evaluator::partial(const Node& node, const Value& input, const FramePtr& frame) {
  std::vector<Value> given;
  for (const Node* argument : node.items) {
    if (argument->type == NodeType::placeholder) {
      given.emplace_back();
      continue;
    }
    TRY_ASSIGN(Value value, evaluate(*argument, input, frame));
    given.push_back(std::move(value));
  }
  TRY_ASSIGN(Value target, evaluate(*node.lhs, input, frame));
  if (!target.is_function()) {
    std::string name;
    TRY_ASSIGN(bool forgot_dollar, names_function(*node.lhs, frame, name));
    return at(node, forgot_dollar ? "T1007" : "T1008", name_of(*node.lhs));
  }
  auto is_open = [&](size_t i) { return i < node.items.size() && node.items[i]->type == NodeType::placeholder; };
  const Function& function = *function_of(target);
  if (function.form == Function::Form::lambda) {
    auto* made = new Function(Function::Form::lambda);
    Value value = Value::function(made);
    made->node = function.node;
    made->input = function.input;
    made->frame = frames_.make(function.frame);
    made->with_signature = false;
    for (size_t i = 0; i < function.unbound.size(); ++i) {
      if (is_open(i)) {
        made->unbound.push_back(function.unbound[i]);
      } else {
        made->frame->bind(function.unbound[i]->literal, i < given.size() ? given[i] : Value());
      }
    }
    return value;
  }
  auto* made = new Function(Function::Form::partial);
  Value value = Value::function(made);
  made->input = target;
  size_t formals = function.form == Function::Form::builtin ? static_cast<size_t>(function.builtin->formals)
                                                            : static_cast<size_t>(arity(target));
  given.resize(formals);
  for (size_t i = 0; i < formals; ++i) {
    if (is_open(i)) made->open.push_back(i);
  }
  made->given = std::move(given);
  return value;
}

Eval<> Evaluator::chain(const Node& node, const Value& input, const FramePtr& frame) {
  TRY_ASSIGN(Value lhs, evaluate(*node.lhs, input, frame));
  if (node.rhs->type == NodeType::function) {
    // The call on the right takes the left side as its first argument; predicates of the call come after.
    TRY_ASSIGN(Value result, call(*node.rhs, input, frame, &lhs));
    return result;
  }
  TRY_ASSIGN(Value function, evaluate(*node.rhs, input, frame));
  if (!function.is_function()) return at(node, "T2006", {}, function);
  if (!lhs.is_function()) return apply(function, {lhs}, Value::null(), frame);
  auto* made = new Function(Function::Form::chain);
  made->given = {lhs, function};
  return Value::function(made);
}

Eval<Value> Evaluator::regex_match(const Function& regex, const Value& subject, size_t from) {
  std::string_view text = subject.as_string();
  auto found = regex.node->regex->find(text, from, surroundings_.limits.regex_steps);
  if (!found) return fault_steps();
  if (!*found) return Value();
  const Regex::Match& match = **found;
  std::vector<Value> groups;
  for (const auto& group : match.groups) groups.push_back(group ? Value::string(*group) : Value());
  auto* next = new Function(Function::Form::next_match);
  Value next_value = Value::function(next);
  next->node = regex.node;
  next->given = {subject};
  next->position = match.end;
  size_t begin = count_utf16_units(text.substr(0, match.begin));
  size_t length = count_utf16_units(text.substr(match.begin, match.end - match.begin));
  return Value::object({{Value::string("match"), Value::string(text.substr(match.begin, match.end - match.begin))},
                        {Value::string("start"), Value::integer(static_cast<int64_t>(begin))},
                        {Value::string("end"), Value::integer(static_cast<int64_t>(begin + length))},
                        {Value::string("groups"), Value::array(std::move(groups))},
                        {Value::string("next"), std::move(next_value)}});
}

Eval<> Evaluator::call_next_match(const Function& next) {
  const Value& subject = next.given[0];
  if (next.position >= subject.size()) return Value();
  TRY_ASSIGN(Value found, regex_match(next, subject, next.position));
  const Value* match = found.find("match");
  if (match != nullptr && match->size() == 0) return at(*next.node, "D1004", {}, next.node->literal);
  return found;
}

namespace {

// A deep copy of a transform's subject, whose objects it may change in place; frozen again when this goes away.
class Thawed {
 public:
  explicit Thawed(const Value& value) : value_(copy(value)) {}
  ~Thawed() {
    for (const Value& part : parts_) freeze(part);
  }
  Thawed(const Thawed&) = delete;
  Thawed& operator=(const Thawed&) = delete;
  const Value& value() const { return value_; }

 private:
  // Parts are noted inner first, so that their depths settle from the leaves up.
  Value note(Value part) {
    const_cast<ValueNode*>(part.node())->unfrozen = true;
    parts_.push_back(part);
    return part;
  }

  Value copy(const Value& value) {
    if (value.is_array()) {
      std::vector<Value> items;
      items.reserve(value.size());
      for (const Value& item : value.items()) items.push_back(copy(item));
      return note(Value::array(std::move(items)));
    }
    if (!value.is_object()) return value;
    std::vector<Member> members;
    members.reserve(value.size());
    for (const Member& member : value.members()) members.push_back({member.key, copy(member.value)});
    return note(Value::object(std::move(members)));
  }

  static void freeze(const Value& part) {
    auto* node = const_cast<ValueNode*>(part.node());
    uint32_t deepest = 0;
    for (const Value& item : part.items()) deepest = std::max(deepest, item.depth());
    for (const Member& member : part.members()) deepest = std::max(deepest, member.value.depth());
    node->depth = deepest + 1;
    node->unfrozen = false;
  }

  std::vector<Value> parts_;
  Value value_;
};

// The value as it is now, sharing nothing that a transform may still change: otherwise an update could put an object
// into itself.
Value settled(const Value& value) {
  if (value.is_array()) {
    std::vector<Value> items;
    for (const Value& item : value.items()) items.push_back(settled(item));
    return Value::array(std::move(items), value.marks());
  }
  if (!value.is_object()) return value;
  std::vector<Member> members;
  for (const Member& member : value.members()) members.push_back({member.key, settled(member.value)});
  return Value::object(std::move(members));
}

}  // namespace

Eval<> Evaluator::transform(const Function& function, const Value& object) {
  if (object.is_undefined()) return Value();
  const Node& node = *function.node;
  Value source = object;
  if (const Value* clone = function.frame->lookup("clone"); clone != nullptr) {
    if (!clone->is_function()) return at(node, "T2013");
    TRY_ASSIGN(source, apply(*clone, {object}, Value::null(), function.frame));
  }
  if (source.depth() > kMaxValueDepth) return fault_memory();
  Thawed thawed(source);
  TRY(charge(0));
  TRY_ASSIGN(Value matches, evaluate(*node.lhs, thawed.value(), function.frame));
  if (!matches.is_undefined() && !matches.is_array()) matches = Value::array({matches});
  for (const Value& match : matches.items()) TRY(change(function, match));
  return settled(thawed.value());
}

Eval<> Evaluator::change(const Function& function, const Value& match) {
  const Node& node = *function.node;
  bool changeable = match.is_object() && match.node()->unfrozen;
  TRY_ASSIGN(Value update, evaluate(*node.rhs, match, function.frame));
  if (!update.is_undefined()) {
    if (!update.is_object()) return at(*node.rhs, "T2011", {}, update);
    update = settled(update);
    if (update.depth() > kMaxValueDepth) return fault_memory();
    TRY(step());
    for (const Member& member : update.members()) {
      if (changeable) match.changeable_object()->set(member.key, member.value);
    }
  }
  if (node.third == nullptr) return Value();
  TRY_ASSIGN(Value deletions, evaluate(*node.third, match, function.frame));
  if (deletions.is_undefined()) return Value();
  Value names = deletions.is_array() ? deletions : Value::array({deletions});
  if (!std::ranges::all_of(names.items(), &Value::is_string)) return at(*node.third, "T2012", {}, deletions);
  for (const Value& name : names.items()) {
    if (changeable) match.changeable_object()->erase(name.as_string());
  }
  return Value();
}

}  // namespace hearth::expression
