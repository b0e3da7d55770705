// The rules of a Choice state.
#pragma once

#include <optional>

#include "graph/definition/fields.h"
#include "graph/definition/states.h"

namespace hearth::definition {

// The condition of one rule of a JSONPath state; errors are in the findings of `fields`. A rule at the top has Next,
// Assign and Comment besides.
Condition parse_condition(const Fields& fields, bool top, size_t depth);

// The Condition of one rule of a JSONata state: a boolean, or an expression.
Expression parse_jsonata_condition(const Fields& fields);

}  // namespace hearth::definition
