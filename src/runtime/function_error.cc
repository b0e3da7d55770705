#include "runtime/function_error.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/json.h"

namespace hearth::runtime {
namespace {

// Names of signals as Go's os package spells them, which is what AWS shows.
std::string signal_name(int64_t number) {
  switch (number) {
    case 4:
      return "illegal instruction";
    case 6:
      return "aborted";
    case 7:
      return "bus error";
    case 8:
      return "floating point exception";
    case 9:
      return "killed";
    case 11:
      return "segmentation fault";
    case 13:
      return "broken pipe";
    case 15:
      return "terminated";
    case 31:
      return "bad system call";
    default:
      return fmt::format("signal {}", number);
  }
}

std::string how_it_ended(const warden::ContainerGone& gone) {
  if (gone.out_of_memory || gone.cause == "killed") return "Runtime exited with error: signal: killed";
  if (gone.cause == "signaled") return fmt::format("Runtime exited with error: signal: {}", signal_name(gone.code));
  if (gone.cause == "exited" && gone.code != 0)
    return fmt::format("Runtime exited with error: exit status {}", gone.code);
  return "Runtime exited without providing a reason";
}

}  // namespace

std::string error_body(std::string_view type, std::string_view message) {
  return json::serialize(json::object{{"errorType", type}, {"errorMessage", message}});
}

std::string message_of(const Outcome& outcome) {
  auto body = parse_json(outcome.payload, outcome.payload.size());
  if (!body || !body->is_object()) return {};
  const auto* message = body->as_object().if_contains("errorMessage");
  return message != nullptr && message->is_string() ? std::string(message->as_string()) : std::string();
}

Outcome timed_out(std::string_view request_id, int64_t timeout_seconds) {
  const auto message =
      fmt::format("RequestId: {} Error: Task timed out after {}.00 seconds", request_id, timeout_seconds);
  return {error_body("Sandbox.Timedout", message), true, "timeout"};
}

Outcome exited(std::string_view request_id, const warden::ContainerGone& gone) {
  const auto message = fmt::format("RequestId: {} Error: {}", request_id, how_it_ended(gone));
  return {error_body(gone.out_of_memory ? "Runtime.OutOfMemory" : "Runtime.ExitError", message), true, "crash"};
}

Outcome response_too_large() {
  return {error_body("Function.ResponseSizeTooLarge",
                     "Response payload size exceeded maximum allowed payload size (6291556 bytes)."),
          true, "error"};
}

Outcome reported_error(std::string body, std::string_view error_type) {
  if (body.empty()) body = error_body(error_type.empty() ? "Runtime.Unknown" : error_type, "");
  return {std::move(body), true, "error"};
}

}  // namespace hearth::runtime
