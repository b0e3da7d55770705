// Pools: warm containers, by runtime, and the count of all containers there are.
//
// Each runtime in use has a stock that is refilled off the request's path: its size follows demand (DemandMeter)
// between `min` and `max`. Whoever asks when the stock is empty gets the next container that is made; makes that
// somebody waits for go before refills, and a refill waits kRefillDelay after a bind so that it does not compete with
// the start. A container leaves by take() and never comes back unless give_back() returns it unbound.
//
// At every (re)connection the warden's list is reconciled with ours: unknown warm containers are adopted, unknown bound
// ones (leftovers of a former hearthd) killed, ours that are missing reported as gone. Nothing is made meanwhile.
// At most `max_containers` living ones, whatever their state; `make_room` is asked to end an idle one before a wait
// fails with Kind::exhausted.
//
// Used on the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadlines.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/one_shot.h"
#include "base/task_group.h"
#include "runtime/demand.h"
#include "runtime/metrics.h"
#include "warden_client/client.h"

namespace hearth::runtime {

struct WarmContainer {
  ContainerId id;
  std::string runtime;
  std::string address;
  Fd runtime_api;
  Fd endpoint;
  Fd log;
  Fd peak_memory;
};

class Pools {
 public:
  static constexpr size_t kMaxMakes = 16;   // under way for those who wait, all runtimes
  static constexpr size_t kMaxRefills = 2;  // under way for the stock
  static constexpr size_t kMaxWaiting = 4096;
  static constexpr std::chrono::milliseconds kMakeDeadline{12'000};  // over the warden's own, whose answer says why
  static constexpr std::chrono::milliseconds kTakeDeadline{15'000};
  static constexpr std::chrono::milliseconds kRefillDelay{3};      // after the last bind,
  static constexpr std::chrono::milliseconds kMaxRefillDelay{25};  // and after the first one that was not made up for
  static constexpr std::chrono::milliseconds kFirstBackoff{100};
  static constexpr std::chrono::milliseconds kMaxBackoff{5'000};

  struct Options {
    int64_t min = 4;
    int64_t max = 64;
    int64_t max_containers = 2048;
    std::vector<std::string> runtimes;  // warmed from the start
  };
  struct Hooks {
    std::function<bool()> make_room;                            // true: a container is on its way out
    std::function<bool(const ContainerId&)> is_in_use;          // bound, by us
    std::function<void(const warden::ContainerGone&)> on_gone;  // one in use has ended
  };
  struct Taken {
    WarmContainer container;
    int64_t make_ns = 0;  // how long it was waited for; 0: from the stock
  };

  Pools(TaskGroup& tasks, Deadlines& deadlines, WardenClient& warden, Metrics& metrics, Options options, Hooks hooks);
  ~Pools();

  boost::asio::awaitable<Result<Taken>> take(std::string runtime);
  void give_back(WarmContainer container);
  // Ends a container; it counts as living until the warden says that it is gone.
  void kill(ContainerId container);

  // From the warden's client.
  void connected();
  void disconnected();
  void container_gone(const warden::ContainerGone& gone);

  // Answers false when the warden did not come back within `patience`.
  boost::asio::awaitable<bool> wait_connected(std::chrono::milliseconds patience);
  void tick(MonotonicTime now);  // once a second
  void stop();

  json::array status() const;
  size_t living() const { return living_.size() + making_; }
  size_t stock(const std::string& runtime) const;

 private:
  struct Waiter {
    OneShot<Result<WarmContainer>> done;
    Deadlines::Handle deadline;
  };
  struct Pool {
    std::deque<WarmContainer> stock;
    std::deque<std::shared_ptr<Waiter>> waiting;
    size_t making = 0;
    bool in_use = false;
    DemandMeter demand;
    double make_seconds = 0.01;  // moving average
    std::chrono::milliseconds backoff{0};
    Deadlines::Handle refill;  // while it is armed nothing is made for the stock
    MonotonicTime refill_by{};
    MonotonicTime not_before{};
  };
  enum class Life { warm, bound, dying };
  static int64_t nanoseconds_since(MonotonicTime began);

  Pool& pool(const std::string& runtime);
  int64_t target(const Pool& pool) const;
  void pump(const std::string& runtime);
  void pump_all();
  void pump_later(const std::string& runtime, std::chrono::milliseconds delay);
  void refill_after_start(const std::string& runtime);
  bool may_make(const Pool& pool) const;
  bool has_room(Pool& pool);
  boost::asio::awaitable<void> make(std::string runtime);
  void made(const std::string& runtime, Result<WardenAnswer> answer, MonotonicTime began);
  void deliver(const std::string& runtime, WarmContainer container);
  void fail_one(Pool& pool, const Error& error);
  void fail_all(const Error& error);
  boost::asio::awaitable<void> send_kill(ContainerId container);

  boost::asio::awaitable<void> reconcile(uint64_t connection);
  void reconcile_later(std::chrono::milliseconds delay);
  bool apply_list(const warden::ListContainersReply& list, std::vector<warden::ContainerInfo>& adopt);
  boost::asio::awaitable<void> adopt(warden::ContainerInfo info);

  TaskGroup& tasks_;
  Deadlines& deadlines_;
  WardenClient& warden_;
  Metrics& metrics_;
  Options options_;
  Hooks hooks_;
  std::map<std::string, Pool> pools_;
  std::unordered_map<ContainerId, Life> living_;
  std::vector<std::shared_ptr<OneShot<bool>>> want_connection_;
  size_t making_ = 0;
  size_t waiting_ = 0;
  uint64_t connection_ = 0;
  bool reconciling_ = false;
  bool stopped_ = false;
  Deadlines::Handle reconcile_timer_;
};

// Takes the four descriptors of a ContainerReply; Kind::internal when they are not four.
Result<WarmContainer> warm_container(const std::string& runtime, WardenAnswer answer);

}  // namespace hearth::runtime
