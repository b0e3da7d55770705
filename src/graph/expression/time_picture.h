// A date/time picture, taken apart: literals and markers like `[D1o]`, with their modifiers (XPath F&O 3.1, 9.8.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/expression/format_integer.h"

namespace hearth::expression {

struct TimePart {
  char component = 0;  // 0: literal text
  std::string literal;
  std::optional<IntegerPicture::Case> names;  // written as a name, in this case
  std::optional<IntegerPicture> integer;
  std::optional<int> least_width, most_width;
  int year_digits = -1;  // Y, M, D: how many digits to keep; -1 for all
  bool zulu = false;     // `t`: UTC is written Z
};

// D3132, D3135 for malformed pictures.
Eval<std::vector<TimePart>> parse_time_picture(std::string_view picture);

inline constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                               "July",    "August",   "September", "October", "November", "December"};
inline constexpr std::string_view kDays[] = {"",         "Monday", "Tuesday",  "Wednesday",
                                             "Thursday", "Friday", "Saturday", "Sunday"};

}  // namespace hearth::expression
