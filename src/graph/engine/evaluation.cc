#include "graph/engine/evaluation.h"

#include <utility>
#include <vector>

#include "graph/expression/json_text.h"

namespace hearth::engine {

using definition::Expression;
using definition::Template;
using expression::Intrinsic;
using expression::Jsonata;
using expression::Member;
using expression::Path;
using expression::PathScope;
using expression::Value;

namespace {

std::unexpected<Fault> fault(std::string_view error, std::string cause, std::string location = {}) {
  return std::unexpected(Fault{error, std::move(cause), std::move(location)});
}

PathScope path_scope(const Scope& scope) {
  return {scope.input, scope.context, [&scope](std::string_view name) { return scope.variables.find(name); }};
}

const Value& root_of(const Path& path, const Scope& scope) {
  return path.root() == expression::PathRoot::context ? scope.context : scope.input;
}

Evaluated<> read_path(const Expression& field, const Path& path, const Scope& scope) {
  auto value = path.read(path_scope(scope), expression::PastEnd::is_null);
  if (value) return *std::move(value);
  if (value.error().kind != Kind::not_found) return fault(kRuntime, value.error().message);
  return fault(kRuntime, "The JSONPath '" + field.text + "' specified for the field '" + field.field +
                             "' could not be found in the input '" + to_json(root_of(path, scope)) + "'");
}

Evaluated<> call_intrinsic(const Intrinsic& intrinsic, const Scope& scope) {
  auto value = intrinsic.evaluate(path_scope(scope), scope.surroundings.random);
  if (value) return *std::move(value);
  bool missed = value.error().kind == Kind::not_found;
  return fault(missed ? kRuntime : kIntrinsicFailure, value.error().message);
}

Evaluated<> run_jsonata(const Expression& field, const Jsonata& jsonata, const Scope& scope) {
  std::vector<std::pair<std::string_view, Value>> bindings;
  bindings.reserve(scope.variables.size() + 1);
  for (const Member& variable : scope.variables.members()) bindings.emplace_back(variable.name(), variable.value);
  bindings.emplace_back("states", scope.states);
  auto value = jsonata.evaluate(Value(), bindings, scope.surroundings);
  std::string subject = "The JSONata expression '" + field.text + "' specified for the field '" + field.field + "' ";
  if (!value) {
    return fault(kQueryEvaluationError, subject + "threw an error during evaluation. " + value.error().message,
                 field.field);
  }
  if (value->is_undefined())
    return fault(kQueryEvaluationError, subject + "returned nothing (undefined).", field.field);
  return *std::move(value);
}

Evaluated<> evaluate_array(const Template& field, const Scope& scope) {
  std::vector<Value> items;
  items.reserve(field.parts.size());
  for (const Template& part : field.parts) {
    auto value = evaluate(part, scope);
    if (!value) return value;
    items.push_back(*std::move(value));
  }
  return Value::array(std::move(items));
}

Evaluated<> evaluate_object(const Template& field, const Scope& scope) {
  std::vector<Member> members;
  members.reserve(field.parts.size());
  for (size_t i = 0; i < field.parts.size(); ++i) {
    auto value = evaluate(field.parts[i], scope);
    if (!value) return value;
    members.push_back({field.keys[i], *std::move(value)});
  }
  return Value::object(std::move(members));
}

}  // namespace

Evaluated<> evaluate(const Expression& field, const Scope& scope) {
  if (const auto* path = std::get_if<Path>(&field.form)) return read_path(field, *path, scope);
  if (const auto* intrinsic = std::get_if<Intrinsic>(&field.form)) return call_intrinsic(*intrinsic, scope);
  if (const auto* jsonata = std::get_if<Jsonata>(&field.form)) return run_jsonata(field, *jsonata, scope);
  return std::get<Value>(field.form);
}

Evaluated<> evaluate(const Template& field, const Scope& scope) {
  switch (field.kind) {
    case Template::Kind::constant:
      return field.constant;
    case Template::Kind::expression:
      return evaluate(field.expression, scope);
    case Template::Kind::array:
      return evaluate_array(field, scope);
    case Template::Kind::object:
      return evaluate_object(field, scope);
  }
  return field.constant;
}

}  // namespace hearth::engine
