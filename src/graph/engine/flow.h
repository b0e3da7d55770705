// Flow: how data passes through a state, in the order of the states language.
//
//   JSONPath: InputPath → Parameters → work → ResultSelector → ResultPath → OutputPath
//   JSONata:  Arguments → work → Output
//
// Assign is evaluated with the variables as they were before: of JSONPath `$` is the result (after ResultSelector), of
// JSONata everything is in `$states`. Faults are as of evaluation.h, and States.ResultPathMatchFailure.
// Pure; any thread.
#pragma once

#include "graph/definition/states.h"
#include "graph/engine/evaluation.h"

namespace hearth::engine {

inline constexpr std::string_view kResultPathMatchFailure = "States.ResultPathMatchFailure";

// What the fields of a state are evaluated with, besides its data. REQUIRES: everything outlives the call.
struct FlowScope {
  const expression::Value& context;
  const expression::Value& variables;
  const expression::Surroundings& surroundings;
};

// The input that the state works with: after InputPath; of JSONata as it came.
Evaluated<> effective_input(const definition::State& state, const expression::Value& input, const FlowScope& scope);

// Parameters or Arguments, filled; the effective input when the state has none.
Evaluated<> arguments_of(const definition::State& state, const expression::Value& effective, const FlowScope& scope);

struct Exit {
  expression::Value output;
  expression::Value assigned;  // an object; undefined when nothing is assigned
};

// What a state gives that was entered with `input` and has worked out `result`.
Evaluated<Exit> exit_with_result(const definition::State& state, const expression::Value& input,
                                 const expression::Value& result, const FlowScope& scope);

// What a state gives whose error a catcher takes; `error_output` is {"Error", "Cause"}.
Evaluated<Exit> exit_with_error(const definition::Catcher& catcher, const definition::State& state,
                                const expression::Value& input, const expression::Value& error_output,
                                const FlowScope& scope);

}  // namespace hearth::engine
