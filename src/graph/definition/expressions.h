// Fields that hold expressions, compiled; what does not compile becomes a Diagnostic and gives nothing.
#pragma once

#include <optional>
#include <string>

#include "graph/definition/fields.h"
#include "graph/definition/states.h"

namespace hearth::definition {

// A payload template (JSONPath) or a value with expressions (JSONata) in the field `name`.
std::optional<Template> read_template(const Fields& fields, std::string_view name, Language language);

// An Assign field: an object whose members are named as variables are.
std::optional<Template> read_assign(const Fields& fields, Language language);

FlowPath read_flow_path(const Fields& fields, std::string_view name);
ResultPath read_result_path(const Fields& fields);
std::optional<expression::Path> read_path(const Fields& fields, std::string_view name);

// A number or text: the field `name` with its literal, JSONata when the language is that, or its twin `name`Path.
enum class Scalar : uint8_t { whole, number, text };
struct Range {
  double least;
  double most;
};
std::optional<Expression> read_scalar(const Fields& fields, std::string_view name, Language language, Scalar scalar,
                                      Range range = {0, 0});

}  // namespace hearth::definition
