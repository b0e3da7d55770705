#include "graph/expression/format_time.h"

#include <algorithm>
#include <cmath>

#include "graph/expression/number_text.h"
#include "graph/expression/time_parts.h"
#include "graph/expression/time_picture.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

constexpr std::string_view kIsoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";

// parseInt: the digits at the beginning; NaN without one.
double leading_integer(std::string_view text) {
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  size_t end = at;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
  return end == at ? NAN : read_decimal(text.substr(0, end)).value_or(NAN);
}

class TimeFormatter {
 public:
  TimeFormatter(double millis, double hours, double minutes) : hours_(hours), minutes_(minutes) {
    millis_ = millis + (60 * hours + minutes) * 60'000;
  }

  bool valid() const { return std::fabs(millis_) <= kMaxTime; }

  Eval<std::string> format(const TimePart& part) const {
    switch (part.component) {
      case 0:
        return part.literal;
      case 'Z':
      case 'z':
        return zone(part);
      case 'P': {
        std::string half = time_component(millis_, 'P') > 0 ? "pm" : "am";
        return part.names == IntegerPicture::Case::upper ? to_upper(half) : half;
      }
      case 'C':
      case 'E':
        return "ISO";
      default:
        return part.names ? name(part) : number(part);
    }
  }

 private:
  Eval<std::string> name(const TimePart& part) const {
    double value = time_component(millis_, part.component);
    std::string text;
    if (part.component == 'M' || part.component == 'x') {
      text = kMonths[static_cast<size_t>(value) - 1];
    } else if (part.component == 'F') {
      text = kDays[static_cast<size_t>(value)];
    } else {
      return fault("D3133", Value::string(std::string_view(&part.component, 1)));
    }
    if (part.names == IntegerPicture::Case::upper) text = to_upper(text);
    if (part.names == IntegerPicture::Case::lower) text = to_lower(text);
    if (part.most_width && text.size() > static_cast<size_t>(*part.most_width))
      text.resize(static_cast<size_t>(*part.most_width));
    return text;
  }

  Eval<std::string> number(const TimePart& part) const {
    if (!part.integer) return fault("D3132", Value::string(std::string_view(&part.component, 1)));
    double value = time_component(millis_, part.component);
    if (part.component == 'Y' && part.year_digits != -1) value = std::fmod(value, std::pow(10, part.year_digits));
    return format_integer(value, *part.integer);
  }

  // 9.8.4.6
  Eval<std::string> zone(const TimePart& part) const {
    double offset = hours_ * 100 + minutes_;
    if (offset == 0 && part.zulu) return "Z";
    std::string text;
    int digits = part.integer->mandatory_digits;
    if (part.integer->regular || digits == 3 || digits == 4) {
      TRY_ASSIGN(text, format_integer(offset, *part.integer));
    } else if (digits == 1 || digits == 2) {
      TRY_ASSIGN(text, format_integer(hours_, *part.integer));
      if (minutes_ != 0) {
        TRY_ASSIGN(IntegerPicture two, parse_integer_picture("00"));
        TRY_ASSIGN(std::string rest, format_integer(minutes_, two));
        text += ":" + rest;
      }
    } else {
      return fault("D3134", Value::integer(digits));
    }
    if (offset >= 0) text.insert(0, "+");
    return part.component == 'z' ? "GMT" + text : text;
  }

  double millis_;
  double hours_;
  double minutes_;
};

}  // namespace

Eval<std::string> format_time(double millis, std::optional<std::string_view> picture,
                              std::optional<std::string_view> zone) {
  double hours = 0;
  double minutes = 0;
  if (zone) {
    double offset = leading_integer(*zone);
    if (!std::isfinite(offset)) offset = 0;
    hours = std::floor(offset / 100);
    minutes = std::fmod(offset, 100);
  }
  TRY_ASSIGN(std::vector<TimePart> parts, parse_time_picture(picture.value_or(kIsoPicture)));
  TimeFormatter formatter(std::trunc(millis), hours, minutes);
  if (!formatter.valid()) return fault("D1001", Value::number(millis));
  std::string out;
  for (const TimePart& part : parts) {
    TRY_ASSIGN(std::string text, formatter.format(part));
    out += text;
  }
  return out;
}

namespace {

// ^\d{4}(-[01]\d)*(-[0-3]\d)*(T[0-2]\d:[0-5]\d:[0-5]\d)*(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?$, each group at most once,
// and the parts as it goes.
class IsoReader {
 public:
  explicit IsoReader(std::string_view text) : text_(text) {}

  bool read() {
    if (!digits(4, year)) return false;
    if (take('-') && !digits(2, month)) return false;
    if (take('-') && !digits(2, day)) return false;
    if (take('T')) {
      if (!(digits(2, hour) && take(':') && digits(2, minute) && take(':') && digits(2, second))) return false;
    }
    if (take('.') && !fraction()) return false;
    return zone() && at_ == text_.size();
  }

  double year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, millis = 0, offset = 0;

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool digits(size_t count, double& number) {
    number = 0;
    for (size_t i = 0; i < count; ++i, ++at_) {
      if (at_ >= text_.size() || text_[at_] < '0' || text_[at_] > '9') return false;
      number = number * 10 + (text_[at_] - '0');
    }
    return true;
  }

  bool fraction() {
    size_t from = at_;
    for (double worth = 100; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, worth /= 10) {
      if (worth >= 1) millis += (text_[at_] - '0') * worth;
    }
    return at_ > from;
  }

  bool zone() {
    if (at_ == text_.size() || take('Z')) return true;
    double sign = take('-') ? -1 : take('+') ? 1 : 0;
    double hours = 0;
    double minutes = 0;
    if (sign == 0 || !digits(2, hours)) return false;
    take(':');
    if (!digits(2, minutes)) return false;
    offset = sign * (hours * 60 + minutes);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Eval<double> parse_iso_time(std::string_view text) {
  IsoReader iso(text);
  if (!iso.read()) return fault("D3110", Value::string(text));
  bool midnight = iso.hour == 24 && iso.minute == 0 && iso.second == 0 && iso.millis == 0;
  bool possible = iso.month >= 1 && iso.month <= 12 && iso.day >= 1 && iso.day <= 31 && iso.minute < 60 &&
                  iso.second < 60 && (iso.hour < 24 || midnight);
  if (!possible) return NAN;
  return utc_millis(iso.year, iso.month - 1, iso.day, iso.hour, iso.minute, iso.second, iso.millis) -
         iso.offset * 60'000;
}

}  // namespace hearth::expression
