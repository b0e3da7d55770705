// Whether every state of one machine is reached and the machine can end.
#pragma once

#include <string>

#include "graph/definition/fields.h"
#include "graph/definition/states.h"

namespace hearth::definition {

// MISSING_END_STATE, without a location, when no state ends the machine; otherwise MISSING_TRANSITION_TARGET for each
// state that nothing leads to. `location` is that of the machine's States.
void check_reachability(const Machine& machine, const std::string& location, Findings& findings);

}  // namespace hearth::definition
