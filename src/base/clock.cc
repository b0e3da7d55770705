#include "base/clock.h"

#include <fmt/chrono.h>

namespace hearth {
namespace {

std::string to_the_millisecond(WallTime time, const char* zone) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  auto millis = (time - seconds).count();
  std::time_t whole = seconds.time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}{}", fmt::gmtime(whole), millis, zone);
}

}  // namespace

std::string lambda_timestamp(WallTime time) { return to_the_millisecond(time, "+0000"); }
std::string iso_timestamp(WallTime time) { return to_the_millisecond(time, "Z"); }

}  // namespace hearth
