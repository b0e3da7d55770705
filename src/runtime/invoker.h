// Invoker: takes an invocation to an instance and brings its answer back.
//
// Order of trial: an idle instance of the function, a warm container of its runtime (pool hit), a container made for it
// (pool miss). Concurrency is counted per function and account before any of these; over a limit an invocation is
// throttled, never queued. Between trigger and answer every phase is timed (Phases).
//
// Events are durable when enqueue() answers and are tried up to three times (at once, after 1 and 2 minutes); throttled
// ones for six hours.
//
// Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"
#include "runtime/function.h"

namespace hearth::runtime {

// Where the time of one invocation went, in nanoseconds; 0 = the phase did not occur.
struct Phases {
  int64_t queue = 0;  // trigger → an instance was chosen
  int64_t make = 0;   // pool miss: a container made on the request's path
  int64_t pick = 0;   // choosing it
  int64_t bind = 0;   // the warden's round trip, of which:
  int64_t mount = 0;
  int64_t limits = 0;
  int64_t network = 0;
  int64_t message = 0;
  int64_t shim = 0;     // bound → first GET next, without the import
  int64_t import = 0;   // the handler's module, as the shim says; 0 where there is no shim of ours
  int64_t handler = 0;  // event handed over → answer
  int64_t reply = 0;    // answer → handed to the front door
  int64_t total = 0;
};

enum class Start { warm, pool_hit, pool_miss };

struct InvocationRecord {
  std::string request_id;
  FunctionKey function;
  Start start = Start::warm;
  Phases phases;
  WallTime at{};
  std::string outcome;  // "ok", "error", "timeout", "crash", "throttled", "failed" (no instance could start)
  ContainerId container;
};

struct Invocation {
  std::string request_id;  // "" = one is made
  FunctionKey function;
  std::string function_id;  // of an event: which function of that name it is for
  std::string qualifier;
  std::string payload;
  std::shared_ptr<void> held;  // stands for the payload's memory; let go when that is
  std::string client_context;  // base64 as it came
  std::string trace_id;
  bool log_tail = false;
};

struct Answer {
  std::string request_id;
  std::string payload;
  std::string function_error;  // "" or "Unhandled"
  std::string log_tail;        // last 4 KB
  std::string executed_version = "$LATEST";
};

// Why an invocation was not let in.
struct Throttled {
  std::string reason;  // "ReservedFunctionConcurrentInvocationLimitExceeded", "ConcurrentInvocationLimitExceeded"
};
using InvokeResult = std::variant<Answer, Throttled>;

// What the network of a function's container is, or why it has none for now. Handed over by main (vpc plugs in); no
// I/O.
struct NetworkPlan {
  std::string attachment;
  std::string policy;
  std::vector<std::string> nameservers;
};
using NetworkPlanFn = std::function<Result<NetworkPlan>(const Function&)>;

// Credentials that a function gets. Handed over by main (api plugs in).
using FunctionCredentialsFn = std::function<std::vector<std::pair<std::string, std::string>>(const Function&)>;
// Serves the AWS endpoint on a listening socket inside a container, until the returned function is called.
using ServeEndpointFn = std::function<std::function<void()>(Fd listener)>;

class Invoker {
 public:
  virtual ~Invoker() = default;

  virtual boost::asio::awaitable<Result<InvokeResult>> invoke(Invocation invocation) = 0;
  // Durable when it answers: the request id.
  virtual boost::asio::awaitable<Result<std::string>> enqueue(Invocation invocation) = 0;

  // The function's code or configuration changed: idle instances end, busy ones after their answer.
  virtual void replace_instances(const FunctionKey& function) = 0;

  // Newest first.
  virtual std::vector<InvocationRecord> recent(std::optional<FunctionKey> function, size_t limit) const = 0;
  // For people: pools, instances, counters, as JSON.
  virtual json::object pool_status() const = 0;
};

}  // namespace hearth::runtime
