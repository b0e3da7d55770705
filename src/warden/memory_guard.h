// MemoryGuard: keeps a function's processes within MemorySize although what it writes to /tmp is charged beside them.
//
// The cgroup's hard limit is the sum of both. An alarm tells that the use has passed MemorySize; from then on the guard
// looks at what the processes use without /tmp, and kills the container when that is too much: every kLook when little
// is left to them, at most every kLongLook when filling what is left would take them that long. Between two looks, and
// before the alarm is set, the hard limit holds alone. What is frozen uses no more than before and is left alone.
// The alarm is set kAlarmDelay after the bind, since setting it can take longer than the whole of a start: most
// containers of a burst are gone by then.
//
// Thread: the warden's only one.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "warden/poller.h"
#include "warden/record.h"

namespace hearth::warden {

class MemoryGuard {
 public:
  static constexpr std::chrono::milliseconds kAlarmDelay{50};
  static constexpr std::chrono::milliseconds kLook{20};
  static constexpr std::chrono::milliseconds kLongLook{1000};
  static constexpr int64_t kFastest = 1 << 20;  // bytes that a function can use more in a millisecond

  using Time = std::chrono::steady_clock::time_point;
  using FindFn = std::function<Record*(uint64_t key)>;  // null: it is gone
  // `poller` outlives the object.
  MemoryGuard(Poller& poller, FindFn find) : poller_(poller), find_(std::move(find)) {}

  // From the bind on. `limit`: bytes.
  void watch(Record& record, int64_t limit, Time now);
  // Its alarm has told.
  void passed(Record& record);
  // It is not frozen any more.
  void thawed(Record& record);
  void look(Time now);
  std::optional<Time> next_look() const;

 private:
  struct Waiting {
    uint64_t key = 0;
    Time due;
  };
  Result<> set_alarm(Record& record);
  // How long it need not be looked at; kills it when it is over its limit.
  static Result<std::chrono::milliseconds> check(Record& record);
  void look_at(Record& record, Time now);
  Record* bound(uint64_t key) const;

  Poller& poller_;
  FindFn find_;
  std::deque<Waiting> without_alarm_;
  std::vector<uint64_t> looked_at_;
  Time next_look_{};  // the earliest of theirs
};

}  // namespace hearth::warden
