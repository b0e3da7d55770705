// Bodies of function errors that the platform makes, as AWS words them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "warden/protocol.h"

namespace hearth::runtime {

// What an invocation came to: the payload of its answer, and how it is counted.
struct Outcome {
  std::string payload;
  bool failed = false;
  std::string_view kind = "ok";  // "ok", "error", "timeout", "crash"
};

Outcome timed_out(std::string_view request_id, int64_t timeout_seconds);
// The container ended: Runtime.ExitError or Runtime.OutOfMemory.
Outcome exited(std::string_view request_id, const warden::ContainerGone& gone);
Outcome response_too_large();
// What the runtime posted; `error_type` (a header's) is used when the body is empty.
Outcome reported_error(std::string body, std::string_view error_type);

// The errorMessage of a platform-made outcome, for its log line.
std::string message_of(const Outcome& outcome);

// A function error body of the given type and message.
std::string error_body(std::string_view type, std::string_view message);

}  // namespace hearth::runtime
