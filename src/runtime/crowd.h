// Crowd: whether an invocation does better to wait for a busy instance than to have another one.
//
// Where handlers take microseconds and more of them run than there are CPUs, one more only adds switches between
// processes and cold caches: it is served sooner by the next that is done. Handlers that have shown to be quick are
// taken at their word: when none of them has ended for `patience`, or somebody has waited for `longest_wait`, for
// `rest` nobody is made to wait.
//
// Pure: the times come from the caller.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "base/clock.h"

namespace hearth::runtime {

class Crowd {
 public:
  static constexpr size_t kBusyEachCpu = 4;
  struct Policy {
    std::chrono::nanoseconds quick = std::chrono::milliseconds(1);
    std::chrono::nanoseconds patience = std::chrono::milliseconds(10);
    std::chrono::nanoseconds longest_wait = std::chrono::milliseconds(100);
    std::chrono::nanoseconds rest = std::chrono::seconds(10);
  };

  explicit Crowd(const Policy& policy) : policy_(policy) {}

  // A handler has run. The quickest counts, forgotten slowly: how long the others took tells of the crowd itself.
  void ran(std::chrono::nanoseconds took, MonotonicTime now) {
    last_ran_ = now;
    const auto faded = quickest_ + quickest_ / 32;
    quickest_ = quickest_.count() == 0 ? took : std::min(took, faded);
  }
  // `at_work`: instances that run a handler, will ask for the next event, or start.
  bool is_worth_waiting(size_t at_work, size_t cpus, MonotonicTime now) const {
    return at_work >= kBusyEachCpu * cpus && quickest_.count() > 0 && quickest_ <= policy_.quick &&
           now >= resting_until_;
  }
  // Until when one who came at `since` is to be left waiting, if no handler ends before.
  MonotonicTime patience_ends(MonotonicTime since) const {
    return std::min(std::max(last_ran_, since) + policy_.patience, since + policy_.longest_wait);
  }
  void waited_in_vain(MonotonicTime now) { resting_until_ = now + policy_.rest; }

 private:
  Policy policy_;
  std::chrono::nanoseconds quickest_{0};  // 0: nothing has run yet
  MonotonicTime last_ran_{};
  MonotonicTime resting_until_{};
};

}  // namespace hearth::runtime
