// Evaluation: what a field of a state gives for the data at hand, or the fault that it makes of the state.
//
// Faults are in the service's words, without the "An error occurred while executing the state …" that names the state.
// Pure: time and randomness are in the scope. Any thread.
#pragma once

#include <expected>
#include <string>

#include "graph/definition/template.h"
#include "graph/expression/limits.h"
#include "graph/expression/value.h"

namespace hearth::engine {

inline constexpr std::string_view kRuntime = "States.Runtime";
inline constexpr std::string_view kIntrinsicFailure = "States.IntrinsicFailure";
inline constexpr std::string_view kQueryEvaluationError = "States.QueryEvaluationError";

struct Fault {
  std::string_view error;  // one of the above
  std::string cause;
  std::string location;  // of JSONata: the field, "Output/result"
};

template <typename T = expression::Value>
using Evaluated = std::expected<T, Fault>;

// What an evaluation sees. REQUIRES: everything outlives it.
struct Scope {
  const expression::Value& input;      // `$` of JSONPath
  const expression::Value& context;    // `$$`
  const expression::Value& variables;  // an object: `$name`
  const expression::Value& states;     // `$states` of JSONata
  const expression::Surroundings& surroundings;
};

Evaluated<> evaluate(const definition::Template& field, const Scope& scope);
Evaluated<> evaluate(const definition::Expression& field, const Scope& scope);

}  // namespace hearth::engine
