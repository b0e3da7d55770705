#include "graph/definition/fields.h"

#include <algorithm>

#include "graph/definition/definition.h"
#include "graph/expression/number_text.h"

namespace hearth::definition {

using expression::Type;
using expression::Value;

void Findings::add(Severity severity, std::string_view code, std::string location, std::string message) {
  if (diagnostics_.size() < kMaxDiagnostics)
    diagnostics_.push_back({severity, code, std::move(message), std::move(location)});
}

void Findings::error(std::string_view code, std::string location, std::string message) {
  has_errors_ = true;
  add(Severity::error, code, std::move(location), std::move(message));
}

void Findings::warning(std::string_view code, std::string location, std::string message) {
  add(Severity::warning, code, std::move(location), std::move(message));
}

std::string at_index(const std::string& location, size_t index) { return location + "[" + std::to_string(index) + "]"; }

const Value* Fields::require(std::string_view name) const {
  const Value* value = find(name);
  if (value == nullptr) error({}, "Missing required field '" + std::string(name) + "'");
  return value;
}

const Value* Fields::typed(std::string_view name, Type type, std::string_view word) const {
  const Value* value = find(name);
  if (value == nullptr || value->is(type)) return value;
  error(name, "Expected value of type " + std::string(word));
  return nullptr;
}

std::optional<std::string_view> Fields::text(std::string_view name) const {
  const Value* value = typed(name, Type::string, "String");
  if (value == nullptr) return std::nullopt;
  return value->as_string();
}

std::optional<bool> Fields::flag(std::string_view name) const {
  const Value* value = typed(name, Type::boolean, "Boolean");
  if (value == nullptr) return std::nullopt;
  return value->is_true();
}

const Value* Fields::object(std::string_view name) const { return typed(name, Type::object, "Object"); }
const Value* Fields::array(std::string_view name) const { return typed(name, Type::array, "Array"); }

std::optional<int64_t> Fields::integer(std::string_view name, int64_t least, int64_t most) const {
  const Value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_integer()) {
    error(name, "Expected value of type Integer");
    return std::nullopt;
  }
  std::optional<int64_t> number = value->as_integer();
  bool below = number ? *number < least : value->as_double() < 0;
  if (!below && number && *number <= most) return number;
  error(name, below ? "Minimum value is " + std::to_string(least) : "Maximum value is " + std::to_string(most));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view name, double least, double most) const {
  const Value* value = typed(name, Type::number, "Number");
  if (value == nullptr) return std::nullopt;
  double number = value->as_double();
  if (number >= least && number <= most) return number;
  error(name, number < least ? "Minimum value is " + expression::js_number(least)
                             : "Maximum value is " + expression::js_number(most));
  return std::nullopt;
}

void Fields::allow_only(std::initializer_list<std::string_view> known) const {
  for (const expression::Member& member : object_.members()) {
    if (std::ranges::find(known, member.name()) == known.end())
      error({}, "Field '" + std::string(member.name()) + "' is not supported");
  }
}

void Fields::at_most_one(std::initializer_list<std::string_view> names) const {
  std::string found;
  size_t count = 0;
  for (std::string_view name : names) {
    if (!has(name)) continue;
    found += (count++ == 0 ? "" : ", ") + std::string(name);
  }
  if (count > 1) error({}, "There should only be one of the following fields: [" + found + "]");
}

}  // namespace hearth::definition
