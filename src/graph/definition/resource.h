// What a Task's Resource names.
#pragma once

#include <string_view>

#include "base/result.h"
#include "graph/definition/states.h"

namespace hearth::definition {

// "arn:aws:lambda:REGION:ACCOUNT:function:NAME", "arn:aws:states:REGION:ACCOUNT:activity:NAME" or
// "arn:aws:states:::SERVICE:ACTION[.sync|.sync:2|.waitForTaskToken]". Kind::invalid for anything else.
Result<Resource> parse_resource(std::string_view arn);

}  // namespace hearth::definition
