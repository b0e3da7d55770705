// Integers in pictures (XPath F&O 3.1, 4.6): digits with groups, letters, roman numerals, English words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/expression/fault.h"

namespace hearth::expression {

struct IntegerPicture {
  enum class Primary : uint8_t { decimal, letters, roman, words, sequence };
  enum class Case : uint8_t { upper, lower, title };
  struct Separator {
    size_t position = 0;
    char32_t character = 0;
  };

  Primary primary = Primary::decimal;
  Case letter_case = Case::lower;
  bool ordinal = false;
  char32_t zero = U'0';
  int mandatory_digits = 0;
  int optional_digits = 0;
  bool regular = false;               // separators at every multiple of the first one's position
  std::vector<Separator> separators;  // right to left; one when regular
  std::string token;                  // of a numbering sequence, which nothing supports
  std::optional<int> width;           // `n` of a date component: how many digits to read
};

// D3131 when digits of several scripts are mixed.
Eval<IntegerPicture> parse_integer_picture(std::string_view picture);

// `value` is floored by the caller. D3130 for numbering sequences.
Eval<std::string> format_integer(double value, const IntegerPicture& picture);

// The value of `text` as the picture writes it; NaN when it cannot be read.
Eval<double> parse_integer(std::string_view text, const IntegerPicture& picture);

// A regular expression for what parse_integer reads.
Eval<std::string> integer_regex(const IntegerPicture& picture);

}  // namespace hearth::expression
