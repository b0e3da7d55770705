#include "graph/expression/format_number.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>
#include <vector>

#include "graph/expression/jsonata_builtins.h"
#include "graph/expression/number_text.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

constexpr int kMaxFractionDigits = 100;  // toFixed's own limit
constexpr int kMaxScaling = 700;         // more than the exponents of a double

struct Symbols {
  Text decimal = U".", grouping = U",", exponent = U"e", minus = U"-", percent = U"%", per_mille = U"\u2030";
  Text zero = U"0", digit = U"#", pattern = U";";
};

struct Picture {
  Text prefix, suffix, active, mantissa, integer, fraction, whole;
  std::optional<Text> exponent;
  std::vector<size_t> integer_groups, fraction_groups;
  size_t regular_group = 0;
  int least_integer = 0, scaling = 0, least_fraction = 0, most_fraction = 0, least_exponent = 0;
};

Symbols symbols_of(const Value& options) {
  Symbols symbols;
  const std::pair<std::string_view, Text*> names[] = {{"decimal-separator", &symbols.decimal},
                                                      {"grouping-separator", &symbols.grouping},
                                                      {"exponent-separator", &symbols.exponent},
                                                      {"minus-sign", &symbols.minus},
                                                      {"percent", &symbols.percent},
                                                      {"per-mille", &symbols.per_mille},
                                                      {"zero-digit", &symbols.zero},
                                                      {"digit", &symbols.digit},
                                                      {"pattern-separator", &symbols.pattern}};
  for (const auto& [name, target] : names) {
    const Value* given = options.find(name);
    if (given != nullptr && given->is_string() && given->size() > 0) *target = to_utf32(given->as_string());
  }
  return symbols;
}

class Formatter {
 public:
  explicit Formatter(Symbols symbols) : symbols_(std::move(symbols)) {}

  Eval<std::string> format(double number, View picture);

 private:
  bool is_family(char32_t c) const { return c >= symbols_.zero[0] && c < symbols_.zero[0] + 10; }
  bool is(char32_t c, const Text& symbol) const { return symbol.size() == 1 && c == symbol[0]; }
  bool is_active(char32_t c) const {
    return is_family(c) || is(c, symbols_.decimal) || is(c, symbols_.exponent) || is(c, symbols_.grouping) ||
           is(c, symbols_.digit) || is(c, symbols_.pattern);
  }
  int count_family(View text) const {
    return static_cast<int>(std::ranges::count_if(text, [this](char32_t c) { return is_family(c); }));
  }
  int count_digits(View text) const {
    return static_cast<int>(
        std::ranges::count_if(text, [this](char32_t c) { return is_family(c) || is(c, symbols_.digit); }));
  }

  std::vector<Text> subpictures(View picture) const;
  Eval<Picture> split(View subpicture) const;
  std::string_view mistake(const Picture& picture) const;
  std::string_view mistake_in_places(const Picture& picture) const;
  void analyse(Picture& picture) const;
  std::vector<size_t> grouping_positions(const Picture& picture, View part, bool to_left) const;
  static size_t regular(const std::vector<size_t>& positions);
  Text digits_of(double number, int places) const;
  Text lay_out(double rounded, const Picture& picture) const;
  void group(Text& text, const Picture& picture) const;

  Symbols symbols_;
};

std::vector<Text> Formatter::subpictures(View picture) const {
  std::vector<Text> parts;
  for (;;) {
    size_t at = picture.find(symbols_.pattern);
    parts.emplace_back(picture.substr(0, at));
    if (at == View::npos) return parts;
    picture.remove_prefix(at + symbols_.pattern.size());
  }
}

Eval<Picture> Formatter::split(View text) const {
  auto begins = [this](char32_t c) { return is_active(c) && !is(c, symbols_.exponent); };
  auto first = std::ranges::find_if(text, begins);
  if (first == text.end()) return fault("D3085");
  Picture picture;
  picture.whole = text;
  size_t prefix = static_cast<size_t>(first - text.begin());
  size_t last = text.size() - 1;
  while (!begins(text[last])) --last;
  picture.prefix = text.substr(0, prefix);
  picture.suffix = text.substr(last + 1);
  picture.active = text.substr(prefix, last + 1 - prefix);
  size_t exponent = text.find(symbols_.exponent, prefix);
  if (exponent == View::npos || exponent > last + 1) {
    picture.mantissa = picture.active;
  } else {
    // The reference counts this position in the whole sub-picture; so does its prefix.
    picture.mantissa = picture.active.substr(0, exponent);
    picture.exponent = picture.active.size() > exponent ? Text(picture.active.substr(exponent + 1)) : Text();
  }
  size_t decimal = picture.mantissa.find(symbols_.decimal);
  if (decimal == Text::npos) {
    picture.integer = picture.mantissa;
    picture.fraction = picture.suffix;
  } else {
    picture.integer = picture.mantissa.substr(0, decimal);
    picture.fraction = picture.mantissa.substr(decimal + 1);
  }
  return picture;
}

// F&O 4.7.3. Of several mistakes the reference reports the last it looks for.
std::string_view Formatter::mistake(const Picture& picture) const {
  View whole = picture.whole;
  std::string_view found;
  auto repeated = [&](const Text& symbol) { return whole.find(symbol) != whole.rfind(symbol); };
  auto present = [&](const Text& symbol) { return whole.find(symbol) != View::npos; };
  if (repeated(symbols_.decimal)) found = "D3081";
  if (repeated(symbols_.percent)) found = "D3082";
  if (repeated(symbols_.per_mille)) found = "D3083";
  if (present(symbols_.percent) && present(symbols_.per_mille)) found = "D3084";
  if (count_digits(picture.mantissa) == 0) found = "D3085";
  if (!std::ranges::all_of(picture.active, [this](char32_t c) { return is_active(c); })) found = "D3086";
  if (std::string_view later = mistake_in_places(picture); !later.empty()) found = later;
  if (picture.exponent) {
    const Text& exponent = *picture.exponent;
    if (!exponent.empty() && (present(symbols_.percent) || present(symbols_.per_mille))) found = "D3092";
    if (exponent.empty() || count_family(exponent) != static_cast<int>(exponent.size())) found = "D3093";
  }
  return found;
}

std::string_view Formatter::mistake_in_places(const Picture& picture) const {
  View whole = picture.whole;
  std::string_view found;
  size_t decimal = whole.find(symbols_.decimal);
  auto grouping_at = [&](size_t at) { return at < whole.size() && is(whole[at], symbols_.grouping); };
  if (decimal != View::npos) {
    if ((decimal > 0 && grouping_at(decimal - 1)) || grouping_at(decimal + 1)) found = "D3087";
  } else if (!picture.integer.empty() && is(picture.integer.back(), symbols_.grouping)) {
    found = "D3088";
  }
  if (whole.find(symbols_.grouping + symbols_.grouping) != View::npos) found = "D3089";
  size_t optional = picture.integer.find(symbols_.digit);
  if (optional != Text::npos && count_family(View(picture.integer).substr(0, optional)) > 0) found = "D3090";
  optional = picture.fraction.rfind(symbols_.digit);
  if (optional != Text::npos && count_family(View(picture.fraction).substr(optional)) > 0) found = "D3091";
  return found;
}

std::vector<size_t> Formatter::grouping_positions(const Picture& picture, View part, bool to_left) const {
  std::vector<size_t> positions;
  size_t at = part.find(symbols_.grouping);
  while (at != View::npos) {
    View side = to_left ? part.substr(0, std::min(at, part.size())) : at < part.size() ? part.substr(at) : View();
    positions.push_back(static_cast<size_t>(count_digits(side)));
    at = View(picture.integer).find(symbols_.grouping, at + 1);  // in the integer part, as in the reference
  }
  return positions;
}

size_t Formatter::regular(const std::vector<size_t>& positions) {
  if (positions.empty()) return 0;
  size_t factor = 0;
  for (size_t position : positions) factor = std::gcd(factor, position);
  for (size_t i = 1; i <= positions.size(); ++i) {
    if (std::ranges::find(positions, i * factor) == positions.end()) return 0;
  }
  return factor;
}

// F&O 4.7.4
void Formatter::analyse(Picture& picture) const {
  picture.integer_groups = grouping_positions(picture, picture.integer, false);
  picture.regular_group = regular(picture.integer_groups);
  picture.fraction_groups = grouping_positions(picture, picture.fraction, true);
  picture.least_integer = count_family(picture.integer);
  picture.scaling = picture.least_integer;
  picture.least_fraction = count_family(picture.fraction);
  picture.most_fraction = std::min(count_digits(picture.fraction), kMaxFractionDigits);
  if (picture.least_integer == 0 && picture.most_fraction == 0) {
    if (picture.exponent) {
      picture.least_fraction = picture.most_fraction = 1;
    } else {
      picture.least_integer = 1;
    }
  }
  if (picture.exponent && picture.least_integer == 0 && picture.integer.find(symbols_.digit) != Text::npos) {
    picture.least_integer = 1;
  }
  if (picture.least_integer == 0 && picture.least_fraction == 0) picture.least_fraction = 1;
  if (picture.exponent) picture.least_exponent = count_family(*picture.exponent);
}

// Math.abs(number).toFixed(places), in the digits of the family.
Text Formatter::digits_of(double number, int places) const {
  std::string text;
  if (std::fabs(number) >= 1e21) {
    text = js_number(std::fabs(number));
  } else {
    char buffer[160];
    int length = std::snprintf(buffer, sizeof buffer, "%.*f", places, std::fabs(number));
    text.assign(buffer, static_cast<size_t>(length));
  }
  Text digits;
  for (char c : text)
    digits.push_back(c >= '0' && c <= '9' ? symbols_.zero[0] + static_cast<char32_t>(c - '0')
                                          : static_cast<char32_t>(c));
  return digits;
}

// Bullets 7 to 12 of F&O 4.7.5.
Text Formatter::lay_out(double rounded, const Picture& picture) const {
  Text text = digits_of(rounded, picture.most_fraction);
  size_t point = text.find(U'.');
  if (point == Text::npos) {
    text += symbols_.decimal;
  } else {
    text.replace(point, 1, symbols_.decimal);
  }
  char32_t zero = symbols_.zero[0];
  size_t significant = std::min(text.find_first_not_of(zero), text.size());
  text.erase(0, significant);
  while (!text.empty() && text.back() == zero) text.pop_back();
  size_t decimal = std::min(text.find(symbols_.decimal), text.size());
  auto fraction = static_cast<int>(text.size()) - static_cast<int>(decimal) - 1;
  int left = picture.least_integer - static_cast<int>(decimal);
  int right = picture.least_fraction - fraction;
  if (left > 0) text.insert(0, static_cast<size_t>(left), zero);
  if (right > 0) text.append(static_cast<size_t>(right), zero);
  group(text, picture);
  decimal = text.find(symbols_.decimal);
  if (picture.whole.find(symbols_.decimal) == Text::npos || decimal == text.size() - 1) text.pop_back();
  return text;
}

void Formatter::group(Text& text, const Picture& picture) const {
  size_t decimal = text.find(symbols_.decimal);
  if (picture.regular_group > 0) {
    size_t groups = decimal == 0 ? 0 : (decimal - 1) / picture.regular_group;
    for (size_t i = 1; i <= groups; ++i) text.insert(decimal - i * picture.regular_group, symbols_.grouping);
  } else {
    for (size_t position : picture.integer_groups) {
      if (position > decimal) continue;
      text.insert(decimal - position, symbols_.grouping);
      ++decimal;
    }
  }
  decimal = text.find(symbols_.decimal);
  for (size_t position : picture.fraction_groups) {
    if (position + decimal + 1 <= text.size()) text.insert(position + decimal + 1, symbols_.grouping);
  }
}

Eval<std::string> Formatter::format(double number, View text) {
  std::vector<Picture> pictures;
  std::vector<Text> parts = subpictures(text);
  if (parts.size() > 2) return fault("D3080");
  for (const Text& part : parts) {
    TRY_ASSIGN(Picture picture, split(part));
    pictures.push_back(std::move(picture));
  }
  for (Picture& picture : pictures) {
    if (std::string_view code = mistake(picture); !code.empty()) return fault(code);
    analyse(picture);
  }
  if (pictures.size() == 1) {
    pictures.push_back(pictures[0]);
    pictures[1].prefix = symbols_.minus + pictures[1].prefix;
  }
  const Picture& picture = number >= 0 ? pictures[0] : pictures[1];
  double adjusted = number;
  if (picture.whole.find(symbols_.percent) != Text::npos) {
    adjusted *= 100;
  } else if (picture.whole.find(symbols_.per_mille) != Text::npos) {
    adjusted *= 1000;
  }
  int exponent = 0;
  double mantissa = adjusted;
  if (picture.least_exponent > 0 && mantissa != 0) {
    double most = std::pow(10, picture.scaling);
    double least = std::pow(10, picture.scaling - 1);
    for (; std::fabs(mantissa) < least && exponent > -kMaxScaling; --exponent) mantissa *= 10;
    for (; std::fabs(mantissa) > most && exponent < kMaxScaling; ++exponent) mantissa /= 10;
  }
  TRY_ASSIGN(double rounded, js_round(mantissa, picture.most_fraction));
  Text out = lay_out(rounded, picture);
  if (picture.least_exponent > 0) {
    Text digits = digits_of(exponent, 0);
    int missing = picture.least_exponent - static_cast<int>(digits.size());
    if (missing > 0) digits.insert(0, static_cast<size_t>(missing), symbols_.zero[0]);
    out += symbols_.exponent + (exponent < 0 ? symbols_.minus : Text()) + digits;
  }
  return from_utf32(picture.prefix + out + picture.suffix);
}

}  // namespace

Eval<std::string> format_number(double number, std::string_view picture, const Value& options) {
  if (!std::isfinite(number)) return fault("D1001", Value::number(number));
  return Formatter(symbols_of(options)).format(number, to_utf32(picture));
}

}  // namespace hearth::expression
