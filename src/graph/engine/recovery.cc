#include "graph/engine/recovery.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "graph/definition/definition.h"

namespace hearth::engine {

using definition::Catcher;
using definition::Retrier;

namespace {

constexpr std::string_view kHeartbeatTimeout = "States.HeartbeatTimeout";
constexpr std::string_view kTimeout = "States.Timeout";

bool matches(std::string_view name, std::string_view error) {
  if (error == "States.Runtime") return false;
  if (name == "States.ALL" || name == error) return true;
  bool timed_out = error == kTimeout || error == kHeartbeatTimeout;
  return (name == "States.TaskFailed" && !timed_out) || (name == kTimeout && timed_out);
}

bool match_any(const std::vector<std::string>& names, std::string_view error) {
  return std::ranges::any_of(names, [error](const std::string& name) { return matches(name, error); });
}

// A uniform number in [0, 1] of 64 random bits.
double fraction(uint64_t bits) {
  return static_cast<double>(bits >> 11) / static_cast<double>((uint64_t{1} << 53) - 1);
}

}  // namespace

std::optional<Retry> retry_for(std::span<const Retrier> retriers, std::span<const int64_t> attempts,
                               std::string_view error, const std::function<uint64_t()>& random) {
  for (size_t i = 0; i < retriers.size(); ++i) {
    const Retrier& retrier = retriers[i];
    if (!match_any(retrier.errors, error)) continue;
    if (attempts[i] >= retrier.max_attempts) return std::nullopt;
    double seconds = retrier.interval_s * std::pow(retrier.backoff_rate, static_cast<double>(attempts[i]));
    seconds = std::min(seconds, retrier.max_delay_s.value_or(static_cast<double>(definition::kMaxSeconds)));
    if (retrier.full_jitter) seconds *= fraction(random());
    return Retry{i, std::llround(seconds * 1000)};
  }
  return std::nullopt;
}

const Catcher* catcher_for(std::span<const Catcher> catchers, std::string_view error) {
  for (const Catcher& catcher : catchers) {
    if (match_any(catcher.errors, error)) return &catcher;
  }
  return nullptr;
}

}  // namespace hearth::engine
