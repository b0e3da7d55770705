// $now $millis $toMillis $fromMillis, and $formatInteger $parseInteger, which share their pictures.
#include <cmath>

#include "graph/expression/format_integer.h"
#include "graph/expression/format_time.h"
#include "graph/expression/jsonata_builtins.h"

namespace hearth::expression {
namespace {

std::optional<std::string_view> text_of(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  return value.as_string();
}

Eval<> now(const Call& call) {
  auto millis = static_cast<double>(call.evaluator.surroundings().now_ms);
  TRY_ASSIGN(std::string text, format_time(millis, text_of(call[0]), text_of(call[1])));
  return Value::string(text);
}

Eval<> millis(const Call& call) { return Value::integer(call.evaluator.surroundings().now_ms); }

Eval<> to_millis(const Call& call) {
  if (call[0].is_undefined()) return Value();
  const Surroundings& surroundings = call.evaluator.surroundings();
  if (!call[1].is_string()) {
    TRY_ASSIGN(double time, parse_iso_time(call[0].as_string()));
    return Value::number(time);
  }
  TRY_ASSIGN(std::optional<double> time,
             parse_time(call[0].as_string(), call[1].as_string(), static_cast<double>(surroundings.now_ms),
                        surroundings.limits.regex_steps));
  return time ? Value::number(*time) : Value();
}

Eval<> from_millis(const Call& call) {
  if (call[0].is_undefined()) return Value();
  TRY_ASSIGN(std::string text, format_time(call[0].as_double(), text_of(call[1]), text_of(call[2])));
  return Value::string(text);
}

Eval<> format_integer_call(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (!call[1].is_string()) return fault("T0410");
  TRY_ASSIGN(IntegerPicture picture, parse_integer_picture(call[1].as_string()));
  TRY_ASSIGN(std::string text, format_integer(std::floor(call[0].as_double()), picture));
  return Value::string(text);
}

Eval<> parse_integer_call(const Call& call) {
  if (call[0].is_undefined()) return Value();
  if (!call[1].is_string()) return fault("T0410");
  TRY_ASSIGN(IntegerPicture picture, parse_integer_picture(call[1].as_string()));
  TRY_ASSIGN(double number, parse_integer(call[0].as_string(), picture));
  return Value::number(number);
}

constexpr Builtin kTimes[] = {
    {"now", now, "<s?s?:s>", 2, 2},
    {"millis", millis, "<:n>", 0, 0},
    {"toMillis", to_millis, "<s-s?:n>", 2, 2},
    {"fromMillis", from_millis, "<n-s?s?:s>", 3, 3},
    {"formatInteger", format_integer_call, "<n-s:s>", 2, 2},
    {"parseInteger", parse_integer_call, "<s-s:n>", 2, 2},
};

}  // namespace

std::span<const Builtin> time_builtins() { return kTimes; }

}  // namespace hearth::expression
