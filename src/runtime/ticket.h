// Ticket: one invocation under way, from admission to answer.
//
// Shared by the coroutine that waits for the answer and by whoever has the invocation: a function's queue, then an
// instance. It is finished once, by the invoker.
#pragma once

#include <memory>
#include <string>

#include "base/one_shot.h"
#include "runtime/function.h"
#include "runtime/invoker.h"

namespace hearth::runtime {

struct FunctionState;

struct Ticket {
  std::string request_id;
  std::string qualifier;
  std::string payload;
  std::shared_ptr<void> held;  // the invocation's
  std::string client_context;
  std::string trace_id;
  bool log_tail = false;
  bool unreserved = true;  // it counts against the account's unreserved concurrency

  FunctionState* function = nullptr;
  Start start = Start::warm;
  Phases phases;
  ContainerId container;
  MonotonicTime triggered{};
  MonotonicTime handed{};    // the event was written
  MonotonicTime answered{};  // its answer was read

  OneShot<Result<Answer>> done;
};

inline int64_t nanoseconds(MonotonicTime from, MonotonicTime to) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

}  // namespace hearth::runtime
