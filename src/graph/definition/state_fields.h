// Which fields a state may have, by its type and query language.
#pragma once

#include "graph/definition/fields.h"
#include "graph/definition/states.h"

namespace hearth::definition {

// An error for every member of the state that its type or its language does not know.
void check_state_fields(const Fields& fields, StateType type, Language language);

}  // namespace hearth::definition
