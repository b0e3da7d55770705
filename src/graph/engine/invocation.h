// Invocation: what a function's answer is to the Task that called it.
//
// A plain function ARN gives the payload. `lambda:invoke` gives the reply of Lambda's API around it, as the service's
// SDK shows it, with its headers. A handler's error becomes the Task's error by its errorType; the cause is the
// payload: as it came for a plain ARN, written anew for `lambda:invoke`. A result beyond kMaxPayloadBytes is an error
// as well. Pure; any thread.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "graph/definition/states.h"
#include "graph/expression/value.h"

namespace hearth::engine {

inline constexpr size_t kMaxPayloadBytes = 256 << 10;  // of what enters or leaves a state
inline constexpr std::string_view kDataLimitExceeded = "States.DataLimitExceeded";
inline constexpr std::string_view kLambdaUnknown = "Lambda.Unknown";

struct Invocation {
  std::string payload;  // JSON text; empty: none
  bool is_function_error = false;
  std::string version;  // "$LATEST"
  std::string request_id;
  std::string trace_id;  // of X-Amzn-Trace-Id
  std::string date;      // of the Date header
};

struct TaskError {
  std::string error;
  std::string cause;
};

std::expected<expression::Value, TaskError> outcome_of(const definition::Resource& resource,
                                                       const Invocation& invocation);

// "The state/task 'S' returned a result with a size exceeding the maximum number of bytes service limit."
std::string too_large(std::string_view name);

}  // namespace hearth::engine
