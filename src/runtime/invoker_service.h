// InvokerService: the Invoker, with the instances of all functions and the pools they come from.
//
// Invariants
//  1. An instance serves the deployment it was bound with; when the function has changed since, the instance gets no
//     further event and is ended.
//  2. Every ticket is answered once, whatever becomes of its instance.
//  3. For every ticket that waits there is a start under way, or an instance that is about to ask for its next event;
//  one
//     that does not within kSettleGrace is no longer counted on.
//  4. What was killed, or ended by itself, is never used again.
// Bounded: concurrency by Admission, waiting tickets by kMaxWaiting, containers by Pools, memory of bound instances by
// limits.memory_mib, function records in memory by what is in use (forgotten when idle).
//
// Owned by the loop's thread. Main builds it after Functions, Runtimes and the warden's client (which may be connected
// already), and stops it before them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "base/config.h"
#include "runtime/crowd.h"
#include "runtime/events.h"
#include "runtime/functions.h"
#include "runtime/invoker.h"
#include "runtime/logs.h"
#include "runtime/runtimes.h"
#include "store/queue.h"
#include "warden_client/client.h"

namespace hearth::runtime {

class InvokerService : public Invoker {
 public:
  static constexpr size_t kMaxWaiting = 4096;
  static constexpr std::chrono::milliseconds kSettleGrace{25};
  static constexpr std::chrono::milliseconds kBindDeadline{5'000};
  static constexpr std::chrono::milliseconds kReconnectPatience{5'000};  // a start waits for a warden that restarts
  static constexpr int kBindAttempts = 3;

  // All references must outlive the service.
  struct Dependencies {
    boost::asio::any_io_executor executor;
    const Config& config;
    const Clock& clock;
    const Functions& functions;
    Runtimes& runtimes;
    WardenClient& warden;
    store::Queue& queue;
    Logs& logs;
    NetworkPlanFn network_plan;
    FunctionCredentialsFn credentials;
    ServeEndpointFn serve_endpoint;
    EventPolicy events;
    Crowd::Policy crowd = {};
  };
  static std::unique_ptr<InvokerService> start(Dependencies dependencies);

  // The hooks of the warden's client.
  virtual void warden_connected(const warden::HelloReply& hello) = 0;
  virtual void warden_disconnected() = 0;
  virtual void container_gone(const warden::ContainerGone& gone) = 0;

  // Drops all events of the account (testing.reset).
  virtual boost::asio::awaitable<Result<>> clear_events(AccountId account) = 0;

  virtual std::string metrics_text() const = 0;
  // Ends every instance; what is under way fails with Kind::unavailable. Warm containers stay, for the next hearthd.
  virtual boost::asio::awaitable<void> stop() = 0;
};

}  // namespace hearth::runtime
