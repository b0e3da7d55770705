// GatewayLog: what a gateway says on its standard error, line by line, on its way to the log.
//
// It comes through a FIFO that both sides hold open for reading and writing: a gateway never waits for its reader nor
// dies without one, what it says meanwhile is kept up to the FIFO's size and then lost, and the next warden reads on.
//
// Bounded: longer lines are cut, more lines in a second are counted and left out. Control characters become spaces.
// Single-threaded.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::gateway {

class GatewayLog {
 public:
  using Sink = std::function<void(std::string_view line)>;
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kMaxLine = 1000;
  static constexpr int kMaxLinesEachSecond = 1000;
  static constexpr int kMaxReads = 4;  // a call, of a page each

  // Makes the FIFO when it is missing.
  static Result<GatewayLog> open(const std::string& path, Sink sink);

  int fd() const { return fifo_.get(); }
  // Hands on what there is.
  void read(Time now);

 private:
  GatewayLog(Fd fifo, Sink sink) : fifo_(std::move(fifo)), sink_(std::move(sink)) {}
  void take(std::string_view bytes, Time now);
  void say(Time now);

  Fd fifo_;
  Sink sink_;
  std::string line_;  // begun; at most kMaxLine
  Time second_{};
  int lines_ = 0;  // in that second
  int64_t left_out_ = 0;
};

}  // namespace hearth::gateway
