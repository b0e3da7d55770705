// The calendar of pictures: components of a moment (Y M D d F W w X x H h P m s f), proleptic Gregorian, ISO weeks.
#pragma once

#include <cstdint>

namespace hearth::expression {

inline constexpr double kMillisADay = 86'400'000;
inline constexpr double kMaxTime = 8.64e15;  // what a JavaScript Date can hold

// Date.UTC; out-of-range parts carry over. `month` counts from 0.
double utc_millis(double year, double month, double day, double hour = 0, double minute = 0, double second = 0,
                  double millis = 0);

struct Date {
  int64_t year = 0;
  int month = 0;  // from 0
  int day = 0;    // from 1
};
Date date_of(double millis);

// The numeric component; 0 for those that are not numbers. P is 1 after noon.
double time_component(double millis, char component);

}  // namespace hearth::expression
