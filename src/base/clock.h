// Clock: where time comes from, passed in so that tests own it.
//
// Wall time is for people and for AWS's fields; durations and deadlines use the monotonic clock.
#pragma once

#include <chrono>
#include <string>

namespace hearth {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;
using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonotonicTime monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  MonotonicTime monotonic() const override { return std::chrono::steady_clock::now(); }
};

// "2026-01-31T12:00:00.123+0000", as Lambda writes LastModified.
std::string lambda_timestamp(WallTime time);
// "2026-01-31T12:00:00.123Z", as EC2 writes times.
std::string iso_timestamp(WallTime time);

}  // namespace hearth
