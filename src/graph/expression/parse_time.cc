// Reading timestamps by picture: the picture becomes a regular expression whose groups are the parts.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "graph/expression/format_time.h"
#include "graph/expression/number_text.h"
#include "graph/expression/regex.h"
#include "graph/expression/time_parts.h"
#include "graph/expression/time_picture.h"

namespace hearth::expression {
namespace {

using Components = std::map<char, double>;

std::string escaped(std::string_view literal) {
  std::string out;
  for (char c : literal) {
    if (std::string_view(".*+?^${}()|[]\\").find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string separator_of(const TimePart& part) {
  if (!part.integer->regular) return {};
  std::string text;
  char32_t c = part.integer->separators[0].character;
  if (c < 0x80) text.push_back(static_cast<char>(c));
  return text;
}

Eval<std::string> regex_of(const TimePart& part) {
  if (part.component == 0) return escaped(part.literal);
  if (part.component == 'Z' || part.component == 'z') {
    std::string separator = separator_of(part);
    std::string regex = part.component == 'z' ? "GMT[-+][0-9]+" : "[-+][0-9]+";
    return separator.empty() ? regex : regex + escaped(separator) + "[0-9]+";
  }
  if (part.integer) {
    IntegerPicture integer = *part.integer;
    integer.width = part.year_digits;
    return integer_regex(integer);
  }
  if (std::string_view("MxFP").find(part.component) == std::string_view::npos) {
    return fault("D3133", Value::string(std::string_view(&part.component, 1)));
  }
  return "[a-zA-Z]+";
}

double integer_or_nan(std::string_view text) { return read_decimal(text).value_or(NAN); }

double minutes_of_zone(const TimePart& part, std::string_view text) {
  if (part.component == 'z') text.remove_prefix(3);
  double hours = 0;
  double minutes = 0;
  std::string separator = separator_of(part);
  if (!separator.empty()) {
    size_t at = text.find(separator);
    hours = integer_or_nan(text.substr(0, at));
    minutes = integer_or_nan(text.substr(at + 1));
  } else if (text.size() <= 3) {
    hours = integer_or_nan(text);
  } else {
    hours = integer_or_nan(text.substr(0, 3));
    minutes = integer_or_nan(text.substr(3));
  }
  return hours * 60 + minutes;
}

double value_of_name(const TimePart& part, std::string_view text) {
  if (part.component == 'P') {
    if (text == "am" || text == "AM") return 0;
    return text == "pm" || text == "PM" ? 1 : NAN;
  }
  size_t width =
      part.most_width && *part.most_width > 0 ? static_cast<size_t>(*part.most_width) : std::string_view::npos;
  std::span<const std::string_view> names = part.component == 'F' ? std::span<const std::string_view>(kDays) : kMonths;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty() && names[i].substr(0, width) == text)
      return static_cast<double>(part.component == 'F' ? i : i + 1);
  }
  return NAN;
}

Eval<double> value_of(const TimePart& part, std::string_view text) {
  if (part.component == 'Z' || part.component == 'z') return minutes_of_zone(part, text);
  if (part.integer) return parse_integer(text, *part.integer);
  return value_of_name(part, text);
}

// Which of `letters` were given and are not zero, as bits from the left.
int mask_of(std::string_view letters, const Components& components) {
  int mask = 0;
  for (char letter : letters) {
    auto found = components.find(letter);
    bool present = found != components.end() && found->second != 0 && !std::isnan(found->second);
    mask = mask * 2 + (present ? 1 : 0);
  }
  return mask;
}

// Some of the bits of `type` and none besides.
bool is_type(int mask, int type) { return (~type & mask) == 0 && (type & mask) != 0; }

// Gaps left of the first given part come from now, right of the last are zero, between them are an error.
Eval<> complete(Components& components, std::string_view order, double now_ms) {
  bool started = false;
  bool ended = false;
  for (char letter : order) {
    if (components.contains(letter)) {
      if (ended) return fault("D3136");
      started = true;
    } else if (started) {
      components[letter] = letter == 'M' || letter == 'D' || letter == 'd' ? 1 : 0;
      ended = true;
    } else {
      components[letter] = time_component(now_ms, letter);
    }
  }
  return Value();
}

Eval<double> assemble(Components components, double now_ms) {
  // Year, month, day (A); year and day of year (B); ISO week dates (C, D), which the reference cannot read either.
  int dates = mask_of("YXMxWwdD", components);
  bool by_day_of_year = !is_type(dates, 0b10100001) && is_type(dates, 0b10000010);
  bool by_month_week = is_type(dates, 0b01010100);
  bool by_week = !by_month_week && is_type(dates, 0b01001000);
  int times = mask_of("PHhmsf", components);
  bool by_half_day = !is_type(times, 0b010111) && is_type(times, 0b101111);
  std::string order = by_day_of_year ? "YD" : by_month_week ? "XxwF" : by_week ? "XWF" : "YMD";
  order += by_half_day ? "Phmsf" : "Hmsf";
  TRY(complete(components, order, now_ms));
  double month = components['M'] > 0 ? components['M'] - 1 : 0;
  double day = components['D'];
  if (by_month_week || by_week) return fault("D3136");
  if (by_day_of_year) {
    Date date = date_of(utc_millis(components['Y'], 0, 1) + (components['d'] - 1) * kMillisADay);
    month = date.month;
    day = date.day;
  }
  double hour = components['H'];
  if (by_half_day) {
    hour = components['h'] == 12 ? 0 : components['h'];
    if (components['P'] == 1) hour += 12;
  }
  double millis = utc_millis(components['Y'], month, day, hour, components['m'], components['s'], components['f']);
  double zone = components.contains('Z') ? components['Z'] : components.contains('z') ? components['z'] : 0;
  return millis - zone * 60'000;
}

}  // namespace

Eval<std::optional<double>> parse_time(std::string_view text, std::string_view picture, double now_ms,
                                       uint32_t regex_steps) {
  TRY_ASSIGN(std::vector<TimePart> parts, parse_time_picture(picture));
  std::string pattern = "^";
  for (const TimePart& part : parts) {
    TRY_ASSIGN(std::string regex, regex_of(part));
    pattern += "(" + regex + ")";
  }
  auto compiled = Regex::compile(pattern + "$", {.ignore_case = true});
  if (!compiled) return fault("D3110", Value::string(picture));
  auto match = compiled->find(text, 0, regex_steps);
  if (!match) return fault_steps();
  if (!*match) return std::nullopt;
  Components components;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].component == 0) continue;
    TRY_ASSIGN(double value, value_of(parts[i], (*match)->groups[i].value_or("")));
    components[parts[i].component] = value;
  }
  if (components.empty()) return std::nullopt;
  TRY_ASSIGN(double millis, assemble(std::move(components), now_ms));
  return millis;
}

}  // namespace hearth::expression
