#include "graph/expression/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace hearth::expression {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Lays out decimal `digits` (no leading zero) with the point after `point` of them.
std::string lay_out(std::string_view digits, int point) {
  int count = static_cast<int>(digits.size());
  std::string text;
  if (point >= count && point <= 21) {
    text.append(digits).append(static_cast<size_t>(point - count), '0');
  } else if (point > 0 && point <= 21) {
    text.append(digits.substr(0, static_cast<size_t>(point))).append(1, '.');
    text.append(digits.substr(static_cast<size_t>(point)));
  } else if (point > -6 && point <= 0) {
    text.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else {
    int exponent = point - 1;
    text.append(digits.substr(0, 1));
    if (count > 1) text.append(1, '.').append(digits.substr(1));
    text.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
  }
  return text;
}

}  // namespace

std::string js_number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  if (std::fabs(number) < 1e15 && number == std::trunc(number)) return std::to_string(static_cast<int64_t>(number));
  char buffer[32];
  double magnitude = std::fabs(number);
  auto end = std::to_chars(buffer, buffer + sizeof buffer, magnitude, std::chars_format::scientific).ptr;
  std::string_view shortest(buffer, static_cast<size_t>(end - buffer));
  size_t mark = shortest.find('e');
  int exponent = std::atoi(std::string(shortest.substr(mark + 1)).c_str());
  std::string digits(1, shortest[0]);
  if (mark > 2) digits.append(shortest.substr(2, mark - 2));
  std::string text = lay_out(digits, exponent + 1);
  return number < 0 ? "-" + text : text;
}

double round_to_15_digits(double number) {
  if (!std::isfinite(number) || (std::fabs(number) < 1e15 && number == std::trunc(number))) return number;
  char buffer[40];
  int length = std::snprintf(buffer, sizeof buffer, "%.14e", number);
  return read_decimal({buffer, static_cast<size_t>(length)}).value_or(number);
}

std::optional<double> read_decimal(std::string_view text) {
  double number = 0;
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars leaves the value alone; strtod says which end of the range it was.
    return std::strtod(std::string(text).c_str(), nullptr);
  }
  if (error != std::errc()) return std::nullopt;
  return number;
}

NumberForm number_form(std::string_view text) {
  size_t i = 0;
  auto digits = [&] {
    size_t from = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i - from;
  };
  if (i < text.size() && text[i] == '-') ++i;
  size_t first = i;
  size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) return NumberForm::none;
  if (i == text.size()) return NumberForm::integer;
  if (text[i] == '.') {
    ++i;
    if (digits() == 0) return NumberForm::none;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0) return NumberForm::none;
  }
  return i == text.size() ? NumberForm::real : NumberForm::none;
}

}  // namespace hearth::expression
