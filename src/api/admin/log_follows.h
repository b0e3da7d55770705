// LogFollows: who follows a function's log by long poll, and the lines that came since they last asked.
//
// A follow begins with open() and is known by an id that nobody guesses. Lines wait for its next take(), at most
// kMaxLines and kMaxBytes; of more, the oldest are dropped and the next answer says how many. A follow that nobody
// asked about for kForget is over (looked at when another begins or takes). At most kMaxFollows at a time.
//
// Owned by the loop's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "runtime/logs.h"

namespace hearth::api::admin {

class LogFollows {
 public:
  static constexpr size_t kMaxFollows = 64;
  static constexpr size_t kMaxLines = 10'000;
  static constexpr size_t kMaxBytes = 4 * 1024 * 1024;
  static constexpr std::chrono::seconds kForget{90};

  struct Lines {
    std::vector<runtime::LogLine> lines;
    uint64_t dropped = 0;
  };
  struct Begun {
    std::string id;
    std::vector<runtime::LogLine> lines;
  };

  // REQUIRES: both outlive this.
  LogFollows(runtime::Logs& logs, const Clock& clock) : logs_(logs), clock_(clock) {}
  ~LogFollows();

  // Begins a follow right behind the last `tail` lines, which it answers.
  boost::asio::awaitable<Result<Begun>> open(runtime::FunctionKey function, size_t tail);
  // What came since; waits at most so long for the first line. Kind::not_found when the follow is over or another
  // function's.
  boost::asio::awaitable<Result<Lines>> take(std::string id, runtime::FunctionKey function,
                                             std::chrono::milliseconds wait);

 private:
  struct Follow {
    explicit Follow(const boost::asio::any_io_executor& executor) : came(executor) {}
    runtime::FunctionKey function;
    uint64_t follower = 0;
    std::deque<runtime::LogLine> lines;
    size_t bytes = 0;
    uint64_t dropped = 0;
    MonotonicTime asked{};
    boost::asio::steady_timer came;  // cancelled when a line comes
  };

  void forget_old();
  static void add(Follow& follow, const runtime::LogLine& line);
  static void skip_seen(Follow& follow, const std::vector<runtime::LogLine>& seen);

  runtime::Logs& logs_;
  const Clock& clock_;
  std::map<std::string, std::shared_ptr<Follow>> follows_;
};

}  // namespace hearth::api::admin
