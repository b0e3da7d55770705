// $number $floor $ceil $round $abs $sqrt $power $random $formatBase.
#include <algorithm>
#include <cmath>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/number_text.h"

namespace hearth::expression {
namespace {

// Math.round: halves go up.
double round_half_up(double number) {
  double below = std::floor(number);
  return number - below >= 0.5 ? below + 1 : below;
}

// number × 10^digits, by moving the decimal point of its text: multiplication would add errors of its own.
double shift(double number, double digits) {
  std::string text = js_number(number);
  size_t mark = text.find('e');
  double exponent = mark == std::string::npos ? 0 : read_decimal(text.substr(mark + 1)).value_or(0);
  return read_decimal(text.substr(0, mark) + "e" + js_number(exponent + digits)).value_or(NAN);
}

}  // namespace

Eval<double> js_round(double number, double precision) {
  if (!std::isfinite(number)) return number;
  double shifted = precision == 0 ? number : shift(number, std::clamp(precision, -400.0, 400.0));
  double rounded = round_half_up(shifted);
  if (std::fabs(rounded - shifted) == 0.5 && std::fabs(std::fmod(rounded, 2)) == 1) rounded -= 1;  // to even
  if (precision != 0) rounded = shift(rounded, -std::clamp(precision, -400.0, 400.0));
  return rounded == 0 ? 0 : rounded;
}

namespace {

constexpr double kMaxExact = 9007199254740992.0;

bool is_decimal(std::string_view text) {
  auto digits = [&](size_t from) {
    size_t end = from;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    return end;
  };
  size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  size_t end = digits(at);
  if (end == at) return false;
  if (end < text.size() && text[end] == '.') {
    at = end + 1;
    end = digits(at);
    if (end == at) return false;
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    at = end + 1;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    end = digits(at);
    if (end == at) return false;
  }
  return end == text.size();
}

// 0x, 0o and 0b literals.
std::optional<double> read_prefixed(std::string_view text) {
  if (text.size() < 3 || text[0] != '0') return std::nullopt;
  char kind = static_cast<char>(text[1] | 0x20);
  int radix = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
  if (radix == 0) return std::nullopt;
  double number = 0;
  for (char c : text.substr(2)) {
    int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : 99;
    if (digit >= radix) return std::nullopt;
    number = number * radix + digit;
  }
  return number;
}

Eval<> number(const Call& call) {
  const Value& value = call[0];
  if (value.is_undefined() || value.is_number()) return value;
  if (value.is(Type::boolean)) return Value::integer(value.is_true() ? 1 : 0);
  if (value.is_string()) {
    if (is_decimal(value.as_string())) {
      double parsed = read_decimal(value.as_string()).value_or(NAN);
      if (std::isfinite(parsed)) return Value::number(parsed);
    }
    if (auto prefixed = read_prefixed(value.as_string())) return Value::number(*prefixed);
  }
  return fault("D3030", value);
}

template <double (*function)(double)>
Eval<> apply_to_number(const Call& call) {
  if (call[0].is_undefined()) return Value();
  return Value::number(function(call[0].as_double()));
}

Eval<> round(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY_ASSIGN(double rounded, js_round(call[0].as_double(), call[1].is_number() ? call[1].as_double() : 0));
  return Value::number(rounded);
}

Eval<> square_root(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (call[0].as_double() < 0) return fault("D3060", call[0]);
  return Value::number(std::sqrt(call[0].as_double()));
}

Eval<> power(const Call& call) {
  if (call[0].is_undefined()) return Value();
  double exponent = call[1].is_number() ? call[1].as_double() : NAN;
  double result = std::pow(call[0].as_double(), exponent);
  if (std::isfinite(result)) return Value::number(result);
  auto refused = fault("D3061", call[0]);
  refused.error()->text = js_number(exponent);
  return refused;
}

std::string in_radix(double whole, int radix) {
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string digits;
  double rest = std::fabs(whole);
  do {
    digits.push_back(kDigits[static_cast<int>(std::fmod(rest, radix))]);
    rest = std::floor(rest / radix);
  } while (rest > 0);
  if (whole < 0) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

Eval<> format_base(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY_ASSIGN(double whole, js_round(call[0].as_double(), 0));
  double radix = 10;
  if (!call[1].is_undefined()) {
    TRY_ASSIGN(radix, js_round(call[1].as_double(), 0));
  }
  if (!(radix >= 2 && radix <= 36)) return fault("D3100", Value::number(radix));
  if (!std::isfinite(whole) || (radix == 10 && std::fabs(whole) > kMaxExact)) return Value::string(js_number(whole));
  return Value::string(in_radix(whole, static_cast<int>(radix)));
}

constexpr Builtin kNumbers[] = {
    {"number", number, "<(nsb)-:n>", 1, 1},
    {"floor", apply_to_number<std::floor>, "<n-:n>", 1, 1},
    {"ceil", apply_to_number<std::ceil>, "<n-:n>", 1, 1},
    {"abs", apply_to_number<std::fabs>, "<n-:n>", 1, 1},
    {"round", round, "<n-n?:n>", 2, 2},
    {"sqrt", square_root, "<n-:n>", 1, 1},
    {"power", power, "<n-n:n>", 2, 2},
    {"formatBase", format_base, "<n-n?:s>", 2, 2},
};

}  // namespace

std::span<const Builtin> number_builtins() { return kNumbers; }

}  // namespace hearth::expression
