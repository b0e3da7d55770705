// Timestamps of the states language: RFC 3339's profile of ISO 8601, with 'T' and 'Z' in capitals.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hearth::definition {

// Nanoseconds would overflow; the moment is split. Ordered as moments.
struct Moment {
  int64_t seconds = 0;  // since 1970
  int32_t nanos = 0;
  auto operator<=>(const Moment&) const = default;

  int64_t millis() const { return seconds * 1000 + nanos / 1'000'000; }
};

// None for what is no timestamp: a missing offset, a day that no month has, an hour 24, more than nine decimals.
std::optional<Moment> parse_timestamp(std::string_view text);

}  // namespace hearth::definition
