// The response head of GET /invocation/next, which is how an event reaches a function.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "runtime/ticket.h"

namespace hearth::runtime {

// Headers of the Runtime API, each absent when empty. What a client chose is stripped of control characters, so that it
// can't make headers of its own.
std::string event_head(const Ticket& ticket, std::string_view arn, WallTime deadline);

}  // namespace hearth::runtime
