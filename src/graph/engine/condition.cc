#include "graph/engine/condition.h"

#include <compare>
#include <optional>

#include "graph/definition/timestamp.h"
#include "graph/expression/utf8.h"

namespace hearth::engine {

using definition::Condition;
using definition::Operator;
using definition::Relation;
using expression::Path;
using expression::PathScope;
using expression::Type;
using expression::Value;

namespace {

Result<Value> read(const Path& path, const PathScope& scope) {
  auto value = path.read(scope);
  if (value || value.error().kind != Kind::not_found) return value;
  return fail(Kind::not_found,
              "Invalid path '" + path.text() + "': The choice state's condition path references an invalid value.");
}

bool stands_in(Relation relation, std::partial_ordering order) {
  switch (relation) {
    case Relation::equals:
      return order == 0;
    case Relation::less:
      return order < 0;
    case Relation::greater:
      return order > 0;
    case Relation::less_equals:
      return order <= 0;
    case Relation::greater_equals:
      return order >= 0;
  }
  return false;
}

std::partial_ordering order_of_numbers(const Value& left, const Value& right) {
  auto left_whole = left.as_integer();
  auto right_whole = right.as_integer();
  if (left_whole && right_whole) return *left_whole <=> *right_whole;  // beyond the 53 bits of a double too
  return left.as_double() <=> right.as_double();
}

std::optional<definition::Moment> moment_of(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  return definition::parse_timestamp(value.as_string());
}

// How the two are ordered; none when either is of a type that the operator does not compare.
std::optional<std::partial_ordering> order_of(Operator operation, const Value& left, const Value& right) {
  if (operation == Operator::numeric) {
    if (!left.is_number() || !right.is_number()) return std::nullopt;
    return order_of_numbers(left, right);
  }
  if (operation == Operator::timestamp) {
    auto left_moment = moment_of(left);
    auto right_moment = moment_of(right);
    if (!left_moment || !right_moment) return std::nullopt;
    return *left_moment <=> *right_moment;
  }
  if (!left.is_string() || !right.is_string()) return std::nullopt;
  return expression::compare_utf16(left.as_string(), right.as_string()) <=> 0;
}

bool is_of_kind(Operator operation, const Value& value) {
  switch (operation) {
    case Operator::is_null:
      return value.is(Type::null);
    case Operator::is_numeric:
      return value.is_number();
    case Operator::is_string:
      return value.is_string();
    case Operator::is_boolean:
      return value.is(Type::boolean);
    case Operator::is_timestamp:
      return moment_of(value).has_value();
    default:
      return false;
  }
}

Result<bool> compare(const Condition& condition, const PathScope& scope) {
  if (condition.operation == Operator::is_present) {
    auto value = condition.variable->read(scope);
    if (!value && value.error().kind != Kind::not_found) return std::unexpected(std::move(value).error());
    return value.has_value() == condition.operand.is_true();
  }
  TRY_ASSIGN(Value value, read(*condition.variable, scope));
  Value operand = condition.operand;
  if (condition.operand_path) {
    TRY_ASSIGN(operand, read(*condition.operand_path, scope));
  }
  switch (condition.operation) {
    case Operator::string:
    case Operator::numeric:
    case Operator::timestamp: {
      auto order = order_of(condition.operation, value, operand);
      return order && stands_in(condition.relation, *order);
    }
    case Operator::boolean_equals:
      return value.is(Type::boolean) && operand.is(Type::boolean) && value.is_true() == operand.is_true();
    case Operator::string_matches:
      return value.is_string() && matches_wildcard(operand.as_string(), value.as_string());
    default:
      return is_of_kind(condition.operation, value) == operand.is_true();
  }
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // where to go on after the last '*' when it must take one more
  size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      taken = t;
      continue;
    }
    size_t literal = p;
    bool escaped = p + 1 < pattern.size() && pattern[p] == '\\' && (pattern[p + 1] == '*' || pattern[p + 1] == '\\');
    if (escaped) ++literal;
    if (literal < pattern.size() && pattern[literal] == text[t]) {
      p = literal + 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<bool> holds(const Condition& condition, const PathScope& scope) {
  if (condition.kind == Condition::Kind::comparison) return compare(condition, scope);
  for (const Condition& part : condition.parts) {
    TRY_ASSIGN(bool is_true, holds(part, scope));
    if (condition.kind == Condition::Kind::negation) return !is_true;
    if (is_true == (condition.kind == Condition::Kind::any)) return is_true;
  }
  return condition.kind == Condition::Kind::all;
}

}  // namespace hearth::engine
