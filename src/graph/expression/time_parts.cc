#include "graph/expression/time_parts.h"

#include <cmath>

namespace hearth::expression {
namespace {

// Howard Hinnant's days_from_civil.
int64_t days_from_civil(int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

double remainder_of(double value, double divisor) { return value - std::floor(value / divisor) * divisor; }

int iso_weekday(double millis) {
  auto days = static_cast<int64_t>(std::floor(millis / kMillisADay));
  auto weekday = static_cast<int>(((days + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
  return weekday + 1;
}

// The Monday of the first week of a year or month: the week that holds its first Thursday.
double start_of_first_week(double year, double month) {
  double first = utc_millis(year, month, 1);
  int weekday = iso_weekday(first);
  return weekday > 4 ? first + (8 - weekday) * kMillisADay : first - (weekday - 1) * kMillisADay;
}

double weeks_between(double start, double end) { return (end - start) / (kMillisADay * 7) + 1; }

double week_of_year(const Date& date) {
  auto year = static_cast<double>(date.year);
  double today = utc_millis(year, date.month, date.day);
  double week = weeks_between(start_of_first_week(year, 0), today);
  if (week > 52) {
    if (today >= start_of_first_week(year + 1, 0)) week = 1;
  } else if (week < 1) {
    week = weeks_between(start_of_first_week(year - 1, 0), today);
  }
  return std::floor(week);
}

double week_of_month(const Date& date) {
  auto year = static_cast<double>(date.year);
  double today = utc_millis(year, date.month, date.day);
  double week = weeks_between(start_of_first_week(year, date.month), today);
  if (week > 4) {
    if (today >= start_of_first_week(year, date.month + 1)) week = 1;
  } else if (week < 1) {
    week = weeks_between(start_of_first_week(year, date.month - 1), today);
  }
  return std::floor(week);
}

double year_of_week(const Date& date, double millis) {
  auto year = static_cast<double>(date.year);
  if (millis < start_of_first_week(year, 0)) return year - 1;
  return millis >= start_of_first_week(year + 1, 0) ? year + 1 : year;
}

double month_of_week(const Date& date, double millis) {
  auto year = static_cast<double>(date.year);
  int month = date.month;
  if (millis < start_of_first_week(year, month)) return month == 0 ? 12 : month;
  if (millis >= start_of_first_week(year, month + 1)) return month == 11 ? 1 : month + 2;
  return month + 1;
}

}  // namespace

double utc_millis(double year, double month, double day, double hour, double minute, double second, double millis) {
  double sum = year + month + day + hour + minute + second + millis;
  constexpr double kSane = 1e9;
  if (!std::isfinite(sum) || std::fabs(year) > kSane || std::fabs(month) > kSane) return NAN;
  double carried = year + std::floor(month / 12);
  auto days = static_cast<double>(
      days_from_civil(static_cast<int64_t>(carried), static_cast<int>(remainder_of(month, 12)) + 1, 1));
  double time = (days + day - 1) * kMillisADay + hour * 3'600'000 + minute * 60'000 + second * 1000 + millis;
  return std::fabs(time) <= kMaxTime ? time : NAN;
}

Date date_of(double millis) {
  auto days = static_cast<int64_t>(std::floor(millis / kMillisADay)) + 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month = (5 * day_of_year + 2) / 153;
  Date date;
  date.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  int civil_month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  date.year = year_of_era + era * 400 + (civil_month <= 2 ? 1 : 0);
  date.month = civil_month - 1;
  return date;
}

double time_component(double millis, char component) {
  Date date = date_of(millis);
  double of_day = remainder_of(millis, kMillisADay);
  double hour = std::floor(of_day / 3'600'000);
  switch (component) {
    case 'Y':
      return static_cast<double>(date.year);
    case 'M':
      return date.month + 1;
    case 'D':
      return date.day;
    case 'd':
      return (std::floor(millis / kMillisADay) * kMillisADay - utc_millis(static_cast<double>(date.year), 0, 1)) /
                 kMillisADay +
             1;
    case 'F':
      return iso_weekday(millis);
    case 'W':
      return week_of_year(date);
    case 'w':
      return week_of_month(date);
    case 'X':
      return year_of_week(date, millis);
    case 'x':
      return month_of_week(date, millis);
    case 'H':
      return hour;
    case 'h':
      return std::fmod(hour, 12) == 0 ? 12 : std::fmod(hour, 12);
    case 'P':
      return hour >= 12 ? 1 : 0;
    case 'm':
      return std::floor(remainder_of(of_day, 3'600'000) / 60'000);
    case 's':
      return std::floor(remainder_of(of_day, 60'000) / 1000);
    case 'f':
      return std::floor(remainder_of(of_day, 1000));
    default:
      return 0;
  }
}

}  // namespace hearth::expression
