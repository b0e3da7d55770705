// $keys $lookup $spread $merge $exists $type $boolean $not $error $assert $clone.
#include <algorithm>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/object_data.h"

namespace hearth::expression {

Eval<Value> lookup_member(Evaluator& evaluator, const Value& input, std::string_view key) {
  if (input.is_object()) {
    const Value* found = input.find(key);
    return found == nullptr ? Value() : *found;
  }
  if (!input.is_array()) return Value();
  std::vector<Value> found;
  for (const Value& item : input.items()) {
    TRY(evaluator.step());
    TRY_ASSIGN(Value value, lookup_member(evaluator, item, key));
    if (value.is_array()) {
      found.insert(found.end(), value.items().begin(), value.items().end());
    } else if (!value.is_undefined()) {
      found.push_back(std::move(value));
    }
  }
  return Value::array(std::move(found), kSequence);
}

namespace {

Eval<> collect_keys(const Call& call, const Value& value, std::vector<Member>& keys) {
  TRY(call.evaluator.step());
  for (const Value& item : value.items()) TRY(collect_keys(call, item, keys));
  for (const Member& member : value.members()) keys.push_back({member.key, Value::null()});
  return Value();
}

Eval<> keys(const Call& call) {
  std::vector<Member> collected;
  TRY(collect_keys(call, call[0], collected));
  Value merged = Value::object(std::move(collected));
  std::vector<Value> names;
  for (const Member& member : merged.members()) names.push_back(member.key);
  return Value::array(std::move(names), kSequence);
}

Eval<> lookup(const Call& call) {
  if (!call[1].is_string()) return Value();
  return lookup_member(call.evaluator, call[0], call[1].as_string());
}

Eval<> spread_into(const Call& call, const Value& value, std::vector<Value>& spread) {
  TRY(call.evaluator.step());
  if (value.is_array()) {
    for (const Value& item : value.items()) TRY(spread_into(call, item, spread));
  } else if (value.is_object()) {
    for (const Member& member : value.members()) spread.push_back(Value::object({member}));
  } else if (!value.is_undefined()) {
    spread.push_back(value);
  }
  return Value();
}

Eval<> spread(const Call& call) {
  const Value& value = call[0];
  if (!value.is_array() && !value.is_object()) return value;
  std::vector<Value> made;
  TRY(spread_into(call, value, made));
  // Joined arrays are plain, one object's members are a sequence.
  bool plain = value.is_array() && value.size() > 0;
  return Value::array(std::move(made), plain ? 0 : kSequence);
}

Eval<> merge(const Call& call) {
  if (call[0].is_undefined()) return Value();
  std::vector<Member> members;
  for (const Value& object : call[0].items()) {
    members.insert(members.end(), object.members().begin(), object.members().end());
  }
  return Value::object(std::move(members));
}

Eval<> exists(const Call& call) { return Value::boolean(!call[0].is_undefined()); }

Eval<> type(const Call& call) {
  switch (call[0].type()) {
    case Type::undefined:
      return Value();
    case Type::null:
      return Value::string("null");
    case Type::boolean:
      return Value::string("boolean");
    case Type::number:
      TRY(Evaluator::is_numeric(call[0]));
      return Value::string("number");
    case Type::string:
      return Value::string("string");
    case Type::array:
      return Value::string("array");
    case Type::function:
      return Value::string("function");
    case Type::object:
      break;
  }
  return Value::string("object");
}

// One undefined item alone is as undefined as it is.
bool has_no_truth(const Value& value) {
  if (value.is_array() && value.size() == 1) return has_no_truth(value.items()[0]);
  return value.is_undefined();
}

Eval<> boolean(const Call& call) {
  if (has_no_truth(call[0])) return Value();
  if (call[0].is_function()) return Value::boolean(false);  // an argument is wrapped: no members
  TRY_ASSIGN(bool is_true, call.evaluator.truth(call[0]));
  return Value::boolean(is_true);
}

Eval<> negate(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (call[0].is_function()) return Value::boolean(true);
  TRY_ASSIGN(bool is_true, call.evaluator.truth(call[0]));
  return Value::boolean(!is_true);
}

std::unexpected<FaultPtr> raise(std::string_view code, const Value& message, std::string_view otherwise) {
  auto made = fault(code);
  bool given = message.is_string() && message.size() > 0;
  made.error()->message = given ? message.as_string() : otherwise;
  return made;
}

Eval<> error(const Call& call) { return raise("D3137", call[0], "$error() function evaluated"); }

Eval<> assert_true(const Call& call) {
  if (call[0].is_true()) return Value();
  return raise("D3141", call[1], "$assert() statement failed");
}

Eval<> clone(const Call& call) { return call[0]; }

constexpr Builtin kObjects[] = {
    {"keys", keys, "<x-:a<s>>", 1, 1},     {"lookup", lookup, "<x-s:x>", 2, 2},
    {"spread", spread, "<x-:a<o>>", 1, 1}, {"merge", merge, "<a<o>:o>", 1, 1},
    {"exists", exists, "<x:b>", 1, 1},     {"type", type, "<x:s>", 1, 1},
    {"boolean", boolean, "<x-:b>", 1, 1},  {"not", negate, "<x-:b>", 1, 1},
    {"error", error, "<s?:x>", 1, 1},      {"assert", assert_true, "<bs?:x>", 2, 2},
    {"clone", clone, "<(oa)-:o>", 1, 1},
};

}  // namespace

std::span<const Builtin> object_builtins() { return kObjects; }

}  // namespace hearth::expression
