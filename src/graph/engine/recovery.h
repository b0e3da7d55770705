// Recovery: what Retry and Catch of a state do about an error.
//
//  * A name matches itself. States.ALL matches every error but States.Runtime, which nothing matches: the execution
//    fails. (States.DataLimitExceeded of a task's result is matched by States.ALL, as recorded with the service; of a
//    state's own output it never gets here.)
//  * States.TaskFailed matches every error but States.Timeout, States.HeartbeatTimeout and States.Runtime;
//    States.Timeout matches States.HeartbeatTimeout as well.
//  * Each retrier counts its own attempts; the first that matches decides, also when its attempts are used up.
// Pure: counters and randomness are handed in. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "graph/definition/states.h"

namespace hearth::engine {

struct Retry {
  size_t retrier = 0;    // index; its count is to be raised
  int64_t delay_ms = 0;  // until the next attempt
};

// None: no retrier matches, or the one that does has used its attempts. `attempts` are those made, one a retrier.
std::optional<Retry> retry_for(std::span<const definition::Retrier> retriers, std::span<const int64_t> attempts,
                               std::string_view error, const std::function<uint64_t()>& random);

// nullptr: nobody catches it.
const definition::Catcher* catcher_for(std::span<const definition::Catcher> catchers, std::string_view error);

}  // namespace hearth::engine
