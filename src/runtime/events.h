// EventWorker: asynchronous invocations, durable in the queue until they are done.
//
// An event is leased, invoked and acknowledged. A function error is tried again after retry_delays (then it is given
// up); what could not run (throttled, no container, warden away) is put off from throttle_first, doubled up to
// throttle_max, until the event is max_age old; whenever another event of its function ends, the oldest that was put
// off is tried at once, so that a queue of one function drains as fast as its concurrency lets it. An event whose
// function is gone is dropped, also when another of that name has come. A lease is short and renewed while the
// invocation runs, so that what a killed hearthd had in hand is tried again soon. Delivery is at least once; a retry
// has the request id of the first try. How often an event failed, and what was put off, is remembered in
// memory only.
//
// Each account has a queue of its own (kQueues and its number), so that its limit is nobody else's; of one account at
// most kInFlightOfAccount events run at once, of all at most kInFlight, and accounts take turns.
//
// Owned by the loop's thread. Source: AWS Lambda developer guide, "Error handling for asynchronous invocation".
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/task_group.h"
#include "runtime/invoker.h"
#include "runtime/metrics.h"
#include "store/queue.h"

namespace hearth::runtime {

struct EventPolicy {
  std::vector<std::chrono::milliseconds> retry_delays{std::chrono::minutes(1), std::chrono::minutes(2)};
  std::chrono::milliseconds throttle_first{1'000};
  std::chrono::milliseconds throttle_max{300'000};
  std::chrono::milliseconds max_age{6 * 3600 * 1000};
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds poll{1'000};
};

class EventWorker {
 public:
  static constexpr size_t kInFlight = 256;
  static constexpr size_t kInFlightOfAccount = 64;
  static constexpr const char* kQueues = "events/";

  using InvokeFn = std::function<boost::asio::awaitable<Result<InvokeResult>>(Invocation)>;
  // Whether the function that the event is for is still there.
  using IsThereFn = std::function<bool(const Invocation&)>;

  // REQUIRES: what is handed over outlives it; stopped and joined before it ends.
  EventWorker(boost::asio::any_io_executor executor, store::Queue& queue, const Clock& clock, Metrics& metrics,
              EventPolicy policy, InvokeFn invoke, IsThereFn is_there);

  void start();
  // Durable when it answers; Kind::invalid when it could not be read again. REQUIRES: the invocation has a request id.
  boost::asio::awaitable<Result<>> add(Invocation invocation);
  // Drops all events of the account.
  boost::asio::awaitable<Result<>> clear(AccountId account);
  void stop();
  boost::asio::awaitable<void> join();
  size_t in_flight() const { return running_; }

 private:
  struct Trouble {
    size_t failures = 0;
    size_t refusals = 0;
  };
  enum class Next { done, failed, refused, gone };

  boost::asio::awaitable<void> work();
  boost::asio::awaitable<void> find_accounts();
  std::vector<AccountId> accounts_in_turn() const;
  // Takes events of the account in hand; whether there may be more of them.
  boost::asio::awaitable<bool> lease(AccountId account);
  boost::asio::awaitable<void> handle(store::QueueItem item, AccountId account);
  boost::asio::awaitable<Next> attempt(Invocation invocation);
  boost::asio::awaitable<void> settle(store::QueueItem item, FunctionKey function, Next next);
  boost::asio::awaitable<void> hurry_next(FunctionKey function);
  void forget_put_off(const FunctionKey& function, int64_t id);
  boost::asio::awaitable<void> renew();
  void wake();

  store::Queue& queue_;
  const Clock& clock_;
  Metrics& metrics_;
  EventPolicy policy_;
  InvokeFn invoke_;
  IsThereFn is_there_;
  TaskGroup tasks_;
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer renewal_;
  std::unordered_map<int64_t, Trouble> troubles_;
  std::unordered_map<int64_t, int> leased_;
  std::map<FunctionKey, std::set<int64_t>> put_off_;  // refused and not yet leased again
  std::map<AccountId, size_t> running_of_;            // accounts that may have events
  AccountId last_served_;
  bool found_accounts_ = false;
  size_t running_ = 0;
  bool woken_ = false;
};

std::string encode_event(const Invocation& invocation);
Result<Invocation> decode_event(std::string_view body);

}  // namespace hearth::runtime
