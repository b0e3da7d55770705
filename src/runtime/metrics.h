// Metrics of the runtime: plain counters and histograms, and their Prometheus text.
//
// Counters only grow. Histograms have buckets of powers of two microseconds, from 1 µs to 2^24 µs (17 s).
// Used on the loop's thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace hearth::runtime {

struct Phases;

class Histogram {
 public:
  static constexpr size_t kBuckets = 25;
  void observe(int64_t nanoseconds);
  void append_text(std::string& out, std::string_view name, std::string_view labels) const;
  uint64_t count() const { return count_; }

 private:
  std::array<uint64_t, kBuckets + 1> buckets_{};  // the last one: longer than all
  uint64_t count_ = 0;
  int64_t sum_ns_ = 0;
};

struct Metrics {
  // invocations
  uint64_t starts_warm = 0;
  uint64_t starts_pool_hit = 0;
  uint64_t starts_pool_miss = 0;
  std::map<std::string, uint64_t, std::less<>> outcomes;   // "ok", "error", "timeout", "crash", "failed"
  std::map<std::string, uint64_t, std::less<>> throttles;  // by reason
  std::array<Histogram, 13> phases;                        // in the order of Phases

  // what functions do wrong
  uint64_t second_answers = 0;
  uint64_t unknown_answers = 0;
  uint64_t late_answers = 0;

  // containers
  uint64_t made = 0;
  uint64_t make_failures = 0;
  uint64_t adopted = 0;
  uint64_t binds = 0;
  uint64_t bind_failures = 0;
  uint64_t killed = 0;
  uint64_t evicted = 0;
  Histogram make;

  // events
  uint64_t events_accepted = 0;
  uint64_t events_done = 0;
  uint64_t events_retried = 0;
  uint64_t events_dropped = 0;

  void observe(const Phases& phases);
  // `gauges`: name → value, of what is counted elsewhere.
  std::string text(const std::map<std::string, int64_t>& gauges) const;
};

// Adds one, without making a string when the word is there already.
void count(std::map<std::string, uint64_t, std::less<>>& counters, std::string_view word);

}  // namespace hearth::runtime
