// Whether the condition of a Choice rule holds (JSONPath; a JSONata condition is an expression).
//
// A comparison with a value of another type is false, not an error. A variable that is not there is an error, except
// for IsPresent; of an …Path operand that is not there as well. Pure; any thread.
#pragma once

#include "base/result.h"
#include "graph/definition/states.h"
#include "graph/expression/path.h"

namespace hearth::engine {

// Kind::not_found when a path finds nothing: "Invalid path '$.a': The choice state's condition path references an
// invalid value." Kind::exhausted beyond the limits of paths.
Result<bool> holds(const definition::Condition& condition, const expression::PathScope& scope);

// StringMatches: '*' is any number of bytes, "\*" and "\\" are themselves. Linear in pattern × text at worst.
bool matches_wildcard(std::string_view pattern, std::string_view text);

}  // namespace hearth::engine
