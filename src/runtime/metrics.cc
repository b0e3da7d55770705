#include "runtime/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <vector>

#include "runtime/invoker.h"

namespace hearth::runtime {
namespace {

constexpr std::array<std::string_view, 13> kPhaseNames = {"queue",   "make",    "pick",    "bind", "mount",
                                                          "limits",  "network", "message", "shim", "import",
                                                          "handler", "reply",   "total"};

std::array<int64_t, 13> values_of(const Phases& p) {
  return {p.queue,   p.make, p.pick,   p.bind,    p.mount, p.limits, p.network,
          p.message, p.shim, p.import, p.handler, p.reply, p.total};
}

void append_counter(std::string& out, std::string_view name, std::string_view labels, uint64_t value) {
  fmt::format_to(std::back_inserter(out), "hearth_{}_total{} {}\n", name, labels, value);
}

void append_counters(std::string& out, std::string_view name, std::string_view label,
                     const std::map<std::string, uint64_t, std::less<>>& counters) {
  fmt::format_to(std::back_inserter(out), "# TYPE hearth_{}_total counter\n", name);
  for (const auto& [word, value] : counters)
    append_counter(out, name, fmt::format("{{{}=\"{}\"}}", label, word), value);
}

}  // namespace

void Histogram::observe(int64_t nanoseconds) {
  const auto micros = static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 0) + 999) / 1000;
  const size_t bucket = micros <= 1 ? 0 : static_cast<size_t>(std::bit_width(micros - 1));
  ++buckets_[std::min(bucket, kBuckets)];
  ++count_;
  sum_ns_ += nanoseconds;
}

void Histogram::append_text(std::string& out, std::string_view name, std::string_view labels) const {
  auto to = std::back_inserter(out);
  const std::string_view comma = labels.empty() ? "" : ",";
  uint64_t below = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    below += buckets_[i];
    fmt::format_to(to, "{}_bucket{{{}{}le=\"{:g}\"}} {}\n", name, labels, comma, static_cast<double>(1ULL << i) / 1e6,
                   below);
  }
  fmt::format_to(to, "{}_bucket{{{}{}le=\"+Inf\"}} {}\n", name, labels, comma, count_);
  fmt::format_to(to, "{}_sum{{{}}} {:.9f}\n{}_count{{{}}} {}\n", name, labels, static_cast<double>(sum_ns_) / 1e9, name,
                 labels, count_);
}

void count(std::map<std::string, uint64_t, std::less<>>& counters, std::string_view word) {
  auto at = counters.find(word);
  if (at == counters.end()) at = counters.emplace(std::string(word), 0).first;
  ++at->second;
}

void Metrics::observe(const Phases& p) {
  const auto values = values_of(p);
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] > 0) phases[i].observe(values[i]);
}

std::string Metrics::text(const std::map<std::string, int64_t>& gauges) const {
  std::string out;
  append_counters(out, "starts", "kind",
                  {{"warm", starts_warm}, {"pool_hit", starts_pool_hit}, {"pool_miss", starts_pool_miss}});
  append_counters(out, "invocations", "outcome", outcomes);
  append_counters(out, "throttles", "reason", throttles);
  append_counters(out, "refused_answers", "why",
                  {{"second", second_answers}, {"unknown", unknown_answers}, {"late", late_answers}});
  append_counters(out, "containers", "what",
                  {{"made", made},
                   {"make_failed", make_failures},
                   {"adopted", adopted},
                   {"bound", binds},
                   {"bind_failed", bind_failures},
                   {"killed", killed},
                   {"evicted", evicted}});
  append_counters(
      out, "events", "what",
      {{"accepted", events_accepted}, {"done", events_done}, {"retried", events_retried}, {"dropped", events_dropped}});
  out += "# TYPE hearth_phase_seconds histogram\n";
  for (size_t i = 0; i < phases.size(); ++i)
    phases[i].append_text(out, "hearth_phase_seconds", fmt::format("phase=\"{}\"", kPhaseNames[i]));
  out += "# TYPE hearth_make_seconds histogram\n";
  make.append_text(out, "hearth_make_seconds", "");
  for (const auto& [name, value] : gauges) {
    const auto bare = name.substr(0, name.find('{'));
    fmt::format_to(std::back_inserter(out), "# TYPE hearth_{} gauge\nhearth_{} {}\n", bare, name, value);
  }
  return out;
}

}  // namespace hearth::runtime
