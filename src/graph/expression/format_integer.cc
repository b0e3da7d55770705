#include "graph/expression/format_integer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "graph/expression/number_text.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

using Primary = IntegerPicture::Primary;
using Case = IntegerPicture::Case;

constexpr std::array<std::string_view, 20> kFew = {
    "Zero", "One",    "Two",    "Three",    "Four",     "Five",    "Six",     "Seven",     "Eight",    "Nine",
    "Ten",  "Eleven", "Twelve", "Thirteen", "Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen"};
constexpr std::array<std::string_view, 20> kOrdinals = {
    "Zeroth",     "First",     "Second",    "Third",       "Fourth",     "Fifth",     "Sixth",
    "Seventh",    "Eighth",    "Ninth",     "Tenth",       "Eleventh",   "Twelfth",   "Thirteenth",
    "Fourteenth", "Fifteenth", "Sixteenth", "Seventeenth", "Eighteenth", "Nineteenth"};
constexpr std::array<std::string_view, 9> kDecades = {"Twenty",  "Thirty", "Forty",  "Fifty",  "Sixty",
                                                      "Seventy", "Eighty", "Ninety", "Hundred"};
constexpr std::array<std::string_view, 4> kMagnitudes = {"Thousand", "Million", "Billion", "Trillion"};

// Zeros of Unicode's decimal digit groups.
constexpr char32_t kZeros[] = {0x30,   0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
                               0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0,
                               0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
                               0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10};

constexpr std::pair<int, std::string_view> kRoman[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"},
                                                       {90, "xc"},  {50, "l"},   {40, "xl"}, {10, "x"},   {9, "ix"},
                                                       {5, "v"},    {4, "iv"},   {1, "i"}};
constexpr double kMostRoman = 1e6;  // a thousand m's

std::string words_of(double number, bool after, bool ordinal) {
  if (number <= 19) {
    auto index = static_cast<size_t>(number);
    return std::string(after ? " and " : "") + std::string(ordinal ? kOrdinals[index] : kFew[index]);
  }
  if (number < 100) {
    std::string words = (after ? " and " : "") + std::string(kDecades[static_cast<size_t>(number / 10) - 2]);
    double rest = std::fmod(number, 10);
    if (rest > 0) return words + "-" + words_of(rest, false, ordinal);
    if (ordinal) words.replace(words.size() - 1, 1, "ieth");
    return words;
  }
  std::string words;
  double rest = 0;
  if (number < 1000) {
    words = (after ? ", " : "") + std::string(kFew[static_cast<size_t>(number / 100)]) + " Hundred";
    rest = std::fmod(number, 100);
  } else {
    auto magnitude = std::min(static_cast<size_t>(std::floor(std::log10(number) / 3)), kMagnitudes.size());
    double factor = std::pow(10, static_cast<double>(magnitude) * 3);
    double mantissa = std::floor(number / factor);
    rest = number - mantissa * factor;
    words = (after ? ", " : "") + words_of(mantissa, false, false) + " " + std::string(kMagnitudes[magnitude - 1]);
  }
  if (rest > 0) return words + words_of(rest, true, ordinal);
  return ordinal ? words + "th" : words;
}

// The value of one English number word in lower case; NaN for another word.
double value_of_word(std::string_view word) {
  auto is = [&](std::string_view name, std::string_view ending = "") {
    return word == to_lower(std::string(name) + std::string(ending));
  };
  for (size_t i = 0; i < kFew.size(); ++i) {
    if (is(kFew[i]) || is(kOrdinals[i])) return static_cast<double>(i);
  }
  for (size_t i = 0; i < kDecades.size(); ++i) {
    if (is(kDecades[i]) || is(kDecades[i].substr(0, kDecades[i].size() - 1), "ieth"))
      return static_cast<double>(i + 2) * 10;
  }
  if (word == "hundredth") return 100;
  for (size_t i = 0; i < kMagnitudes.size(); ++i) {
    if (is(kMagnitudes[i]) || is(kMagnitudes[i], "th")) return std::pow(10, static_cast<double>(i + 1) * 3);
  }
  return NAN;
}

// Splits at /,\s|\sand\s|[\s\\-]/.
std::vector<std::string> split_words(std::string_view text) {
  auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    if (text[i] == ',' && i + 1 < text.size() && blank(text[i + 1])) length = 2;
    if (length == 0 && blank(text[i]) && text.substr(i + 1, 3) == "and" && i + 4 < text.size() && blank(text[i + 4]))
      length = 5;
    if (length == 0 && (blank(text[i]) || text[i] == '\\' || text[i] == '-')) length = 1;
    if (length == 0) {
      parts.back().push_back(text[i++]);
    } else {
      parts.emplace_back();
      i += length;
    }
  }
  return parts;
}

double number_of_words(std::string_view text) {
  std::vector<double> segments{0};
  for (const std::string& word : split_words(text)) {
    double value = value_of_word(word);
    if (!(value < 100)) {
      segments.back() *= value;
    } else if (segments.back() >= 1000) {
      segments.push_back(value);
    } else {
      segments.back() += value;
    }
  }
  return std::accumulate(segments.begin(), segments.end(), 0.0);
}

std::string roman_of(double value) {
  std::string text;
  for (const auto& [worth, letters] : kRoman) {
    for (; value >= worth; value -= worth) text += letters;
  }
  return text;
}

double number_of_roman(std::string_view text) {
  double total = 0;
  double most = 1;
  for (size_t i = text.size(); i-- > 0;) {
    static constexpr std::string_view kLetters = "MDCLXVI";
    static constexpr double kWorths[] = {1000, 500, 100, 50, 10, 5, 1};
    size_t at = kLetters.find(text[i]);
    if (at == std::string_view::npos) return NAN;
    double value = kWorths[at];
    if (value < most) {
      total -= value;
    } else {
      most = value;
      total += value;
    }
  }
  return total;
}

std::string letters_of(double value, char first) {
  std::string text;
  for (; value > 0; value = std::floor((value - 1) / 26)) {
    text.push_back(static_cast<char>(first + static_cast<int>(std::fmod(value - 1, 26))));
  }
  std::ranges::reverse(text);
  return text;
}

double number_of_letters(std::string_view text, char first) {
  double total = 0;
  for (char c : text) total = total * 26 + (c - first + 1);
  return total;
}

// Whether the separators stand at every multiple of one distance, all the same; that distance or 0.
size_t regular_distance(const std::vector<IntegerPicture::Separator>& separators) {
  if (separators.empty()) return 0;
  size_t factor = 0;
  for (const auto& separator : separators) {
    if (separator.character != separators[0].character) return 0;
    factor = std::gcd(factor, separator.position);
  }
  for (size_t i = 1; i <= separators.size(); ++i) {
    auto at = [&](const IntegerPicture::Separator& separator) { return separator.position == i * factor; };
    if (std::ranges::none_of(separators, at)) return 0;
  }
  return factor;
}

// A decimal digit pattern: digits, `#` and separators, read from the right.
Eval<IntegerPicture> parse_decimal(IntegerPicture picture, std::string_view text) {
  std::u32string points = to_utf32(text);
  std::optional<char32_t> zero;
  size_t position = 0;
  for (size_t i = points.size(); i-- > 0;) {
    char32_t point = points[i];
    auto group = std::ranges::find_if(kZeros, [&](char32_t start) { return point >= start && point <= start + 9; });
    if (group != std::end(kZeros)) {
      if (zero && *zero != *group) return fault("D3131");
      zero = *group;
      ++picture.mandatory_digits;
      ++position;
    } else if (point == U'#') {
      ++picture.optional_digits;
      ++position;
    } else {
      picture.separators.push_back({position, point});
    }
  }
  if (!zero) {
    picture.primary = Primary::sequence;
    picture.token = text;
    return picture;
  }
  picture.zero = *zero;
  if (size_t distance = regular_distance(picture.separators); distance > 0) {
    picture.regular = true;
    picture.separators = {{distance, picture.separators[0].character}};
  }
  return picture;
}

std::string format_decimal(double value, const IntegerPicture& picture) {
  std::u32string digits = to_utf32(js_number(value));
  auto wanted = static_cast<size_t>(std::max(picture.mandatory_digits, 0));
  if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), U'0');
  if (picture.zero != U'0') {
    for (char32_t& digit : digits) digit += picture.zero - U'0';
  }
  size_t plain = digits.size();
  if (picture.regular) {
    size_t distance = picture.separators[0].position;
    for (size_t i = (plain - 1) / distance; i > 0; --i) {
      digits.insert(digits.size() - i * distance, 1, picture.separators[0].character);
    }
  } else {
    for (size_t i = picture.separators.size(); i-- > 0;) {
      const auto& separator = picture.separators[i];
      if (separator.position <= digits.size()) {
        digits.insert(digits.size() - separator.position, 1, separator.character);
      }
    }
  }
  std::string text = from_utf32(digits);
  if (!picture.ordinal) return text;
  char32_t last = digits.back();
  bool teens = digits.size() > 1 && digits[digits.size() - 2] == U'1';
  std::string_view suffix = teens ? "th" : last == U'1' ? "st" : last == U'2' ? "nd" : last == U'3' ? "rd" : "th";
  return text.append(suffix);
}

}  // namespace

Eval<IntegerPicture> parse_integer_picture(std::string_view text) {
  IntegerPicture picture;
  size_t semicolon = text.rfind(';');
  if (semicolon != std::string_view::npos) {
    picture.ordinal = text.substr(semicolon + 1).starts_with('o');
    text = text.substr(0, semicolon);
  }
  if (text == "A" || text == "a") {
    picture.primary = Primary::letters;
  } else if (text == "I" || text == "i") {
    picture.primary = Primary::roman;
  } else if (text == "W" || text == "w" || text == "Ww") {
    picture.primary = Primary::words;
  } else {
    return parse_decimal(std::move(picture), text);
  }
  picture.letter_case = text == "Ww" ? Case::title : text[0] < 'a' ? Case::upper : Case::lower;
  return picture;
}

Eval<std::string> format_integer(double value, const IntegerPicture& picture) {
  if (!std::isfinite(value)) return fault("D1001", Value::number(value));
  bool upper = picture.letter_case == Case::upper;
  double magnitude = std::fabs(value);
  std::string text;
  switch (picture.primary) {
    case Primary::letters:
      text = letters_of(magnitude, upper ? 'A' : 'a');
      break;
    case Primary::roman:
      if (magnitude > kMostRoman) return fault("D1001", Value::number(value));
      text = roman_of(magnitude);
      if (upper) text = to_upper(text);
      break;
    case Primary::words:
      text = words_of(magnitude, false, picture.ordinal);
      if (upper) text = to_upper(text);
      if (picture.letter_case == Case::lower) text = to_lower(text);
      break;
    case Primary::decimal:
      text = format_decimal(magnitude, picture);
      break;
    case Primary::sequence:
      return fault("D3130", Value::string(picture.token));
  }
  return value < 0 ? "-" + text : text;
}

Eval<double> parse_integer(std::string_view text, const IntegerPicture& picture) {
  bool upper = picture.letter_case == Case::upper;
  switch (picture.primary) {
    case Primary::letters:
      return number_of_letters(text, upper ? 'A' : 'a');
    case Primary::roman:
      return number_of_roman(upper ? std::string(text) : to_upper(text));
    case Primary::words:
      return number_of_words(to_lower(text));
    case Primary::sequence:
      return fault("D3130", Value::string(picture.token));
    case Primary::decimal:
      break;
  }
  std::u32string points = to_utf32(text);
  if (picture.ordinal) points.resize(points.size() < 2 ? 0 : points.size() - 2);
  std::string digits;
  for (char32_t point : points) {
    auto separates = [&](const IntegerPicture::Separator& separator) { return separator.character == point; };
    bool separator = picture.regular ? point == U',' : std::ranges::any_of(picture.separators, separates);
    if (separator) continue;
    char32_t digit = picture.zero == U'0' ? point : point - picture.zero + U'0';
    bool sign = digits.empty() && (digit == U'-' || digit == U'+');
    if (!sign && (digit < U'0' || digit > U'9')) break;
    digits.push_back(static_cast<char>(digit));
  }
  return read_decimal(digits).value_or(NAN);
}

Eval<std::string> integer_regex(const IntegerPicture& picture) {
  bool upper = picture.letter_case == Case::upper;
  switch (picture.primary) {
    case Primary::letters:
      return upper ? "[A-Z]+" : "[a-z]+";
    case Primary::roman:
      return upper ? "[MDCLXVI]+" : "[mdclxvi]+";
    case Primary::words: {
      std::string words;
      auto add = [&](std::string_view word) { words += to_lower(word) + "|"; };
      for (std::string_view word : kFew) add(word);
      for (std::string_view word : kOrdinals) add(word);
      for (std::string_view word : kDecades)
        add(std::string(word.substr(0, word.size() - 1)) + "(?:" + word.back() + "|ieth)");
      for (std::string_view word : kMagnitudes) add(std::string(word) + "(?:th)?");
      return "(?:" + words + "hundredth|and|[\\-, ])+";
    }
    case Primary::sequence:
      return fault("D3130", Value::string(picture.token));
    case Primary::decimal:
      break;
  }
  std::string count = "+";
  if (picture.width && *picture.width > 0) {
    std::string most = std::to_string(*picture.width);
    int least = std::max(0, *picture.width - picture.optional_digits);
    count = picture.optional_digits == 0 ? "{" + most + "}" : "{" + std::to_string(least) + "," + most + "}";
  }
  return "[0-9]" + count + (picture.ordinal ? "(?:th|st|nd|rd)" : "");
}

}  // namespace hearth::expression
