#include "graph/definition/timestamp.h"

#include <array>
#include <chrono>

namespace hearth::definition {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  // Exactly `count` digits; -1 when they are not there.
  int digits(int count) {
    int number = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      if (at_ >= text_.size() || text_[at_] < '0' || text_[at_] > '9') return -1;
      number = number * 10 + (text_[at_] - '0');
    }
    return number;
  }

  // One to nine decimals as nanoseconds; -1 otherwise.
  int decimals() {
    int number = 0;
    int count = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++count) {
      if (count == 9) return -1;
      number = number * 10 + (text_[at_] - '0');
    }
    if (count == 0) return -1;
    for (; count < 9; ++count) number *= 10;
    return number;
  }

  bool at_end() const { return at_ == text_.size(); }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// Seconds east of Greenwich; none for what is no offset.
std::optional<int> scan_offset(Scanner& scan) {
  if (scan.take('Z')) return 0;
  int sign = scan.take('+') ? 1 : scan.take('-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  int hours = scan.digits(2);
  if (hours < 0 || hours > 23 || !scan.take(':')) return std::nullopt;
  int minutes = scan.digits(2);
  if (minutes < 0 || minutes > 59) return std::nullopt;
  return sign * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<Moment> parse_timestamp(std::string_view text) {
  Scanner scan(text);
  int year = scan.digits(4);
  if (year < 0 || !scan.take('-')) return std::nullopt;
  int month = scan.digits(2);
  if (month < 0 || !scan.take('-')) return std::nullopt;
  int day = scan.digits(2);
  if (day < 0 || !scan.take('T')) return std::nullopt;
  int hour = scan.digits(2);
  if (hour < 0 || hour > 23 || !scan.take(':')) return std::nullopt;
  int minute = scan.digits(2);
  if (minute < 0 || minute > 59 || !scan.take(':')) return std::nullopt;
  int second = scan.digits(2);
  if (second < 0 || second > 59) return std::nullopt;
  int nanos = scan.take('.') ? scan.decimals() : 0;
  if (nanos < 0) return std::nullopt;
  std::optional<int> offset = scan_offset(scan);
  if (!offset || !scan.at_end()) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return Moment{days * 86'400 + hour * 3600 + minute * 60 + second - *offset, nanos};
}

}  // namespace hearth::definition
