// Timestamps in pictures (XPath F&O 3.1, 9.8) and ISO 8601, as the reference reads and writes them. UTC; no clock.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "graph/expression/fault.h"

namespace hearth::expression {

// `picture` defaults to ISO 8601 with milliseconds, `zone` ("+hhmm") to UTC. D1001 outside what a Date can hold.
Eval<std::string> format_time(double millis, std::optional<std::string_view> picture,
                              std::optional<std::string_view> zone);

// Milliseconds since the epoch of an ISO 8601 timestamp; D3110 for other text, NaN for impossible dates.
Eval<double> parse_iso_time(std::string_view text);

// Reads `text` by `picture`; parts left of the first given one come from `now_ms`. None when it does not match.
Eval<std::optional<double>> parse_time(std::string_view text, std::string_view picture, double now_ms,
                                       uint32_t regex_steps);

}  // namespace hearth::expression
