// What one evaluation may use, and what it is given of the outside world. Evaluators have no clock and no randomness
// of their own: the same inputs give the same result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace hearth::expression {

inline constexpr size_t kMaxExpressionBytes = 256 << 10;  // text of one expression
inline constexpr uint32_t kMaxParseDepth = 256;           // nesting of its syntax
inline constexpr uint32_t kMaxValueDepth = 1000;          // nesting of what it builds
inline constexpr uint64_t kStepsPerDeadlineCheck = 1024;

struct Limits {
  uint32_t depth = 500;            // nested evaluations; AWS stops near 100
  uint64_t steps = 10'000'000;     // nodes and items visited
  int64_t bytes = 64 << 20;        // memory held at any time beyond the inputs; AWS stops near 7 MB of numbers
  uint32_t regex_steps = 200'000;  // backtracking of one match
};

struct Surroundings {
  int64_t now_ms = 0;                // $now, $millis and defaults of $toMillis: the same throughout one evaluation
  std::function<uint64_t()> random;  // 64 uniform bits; without it randomness is an error
  std::function<bool()> expired;     // asked every kStepsPerDeadlineCheck steps; optional
  Limits limits;
};

}  // namespace hearth::expression
