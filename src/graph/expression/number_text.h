// How JavaScript prints and reads numbers: the spelling of everything that JSONata computes.
// ECMA-262, Number::toString; toPrecision and toFixed where the reference uses them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth::expression {

// Shortest digits that read back as `number`: "0.1", "1e+21", "5e-7", "NaN", "Infinity"; -0 is "0".
std::string js_number(double number);

// Number(number.toPrecision(15)): what JSONata's $string makes of a number before it prints it.
double round_to_15_digits(double number);

// The double nearest to the decimal `text`; ±infinity and 0 beyond the range. None when `text` is no decimal number.
std::optional<double> read_decimal(std::string_view text);

// Whether `text` is a number by the JSON grammar; `integer` when it has neither fraction nor exponent.
enum class NumberForm { none, integer, real };
NumberForm number_form(std::string_view text);

}  // namespace hearth::expression
