#include "graph/expression/time_picture.h"

#include <algorithm>
#include <charconv>

#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

constexpr int kMaxWidth = 1000;

std::string_view default_presentation(char component) {
  switch (component) {
    case 'Y':
    case 'M':
    case 'D':
    case 'd':
    case 'W':
    case 'w':
    case 'X':
    case 'x':
    case 'H':
    case 'h':
    case 'f':
      return "1";
    case 'F':
    case 'P':
    case 'C':
    case 'E':
      return "n";
    case 'm':
    case 's':
      return "01";
    case 'Z':
    case 'z':
      return "01:01";
    default:
      return {};
  }
}

std::optional<int> width_of(std::string_view text) {
  int width = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), width);
  if (error != std::errc()) return std::nullopt;  // `*`, or nothing
  return std::clamp(width, 0, kMaxWidth);
}

void parse_width(std::string_view modifier, TimePart& part) {
  size_t dash = modifier.find('-');
  part.least_width = width_of(modifier.substr(0, dash));
  if (dash != std::string_view::npos) part.most_width = width_of(modifier.substr(dash + 1));
}

Eval<> read_number_format(std::string_view presentation, char second, TimePart& part) {
  std::string pattern(presentation);
  if (second != 0) pattern.append(";").push_back(second);
  TRY_ASSIGN(IntegerPicture integer, parse_integer_picture(pattern));
  if (part.least_width) integer.mandatory_digits = std::max(integer.mandatory_digits, *part.least_width);
  if (std::string_view("YMD").find(part.component) != std::string_view::npos) {
    if (part.most_width) {
      part.year_digits = *part.most_width;
      integer.mandatory_digits = *part.most_width;
    } else {
      int digits = integer.mandatory_digits + integer.optional_digits;
      if (digits >= 2) part.year_digits = digits;
    }
  }
  part.integer = std::move(integer);
  return Value();
}

Eval<TimePart> parse_marker(std::string_view raw) {
  std::string marker;
  for (char c : raw) {
    if (c != ' ' && (c < '\t' || c > '\r')) marker.push_back(c);
  }
  TimePart part;
  size_t first_end = 0;
  if (!marker.empty()) next_code_point(marker, first_end);
  part.component = marker.empty() ? '?' : marker[0];
  std::string_view presentation = std::string_view(marker).substr(first_end);
  size_t comma = presentation.rfind(',');
  if (comma != std::string_view::npos) {
    parse_width(presentation.substr(comma + 1), part);
    presentation = presentation.substr(0, comma);
  }
  char second = 0;
  if (presentation.empty()) {
    presentation = default_presentation(part.component);
    if (presentation.empty()) return fault("D3132", Value::string(std::string_view(marker).substr(0, first_end)));
  } else if (presentation.size() > 1 && std::string_view("atco").find(presentation.back()) != std::string_view::npos) {
    second = presentation.back();
    presentation.remove_suffix(1);
  }
  part.zulu = second == 't';
  if (presentation[0] == 'n') {
    part.names = IntegerPicture::Case::lower;
  } else if (presentation[0] == 'N') {
    bool title = presentation.size() > 1 && presentation[1] == 'n';
    part.names = title ? IntegerPicture::Case::title : IntegerPicture::Case::upper;
  } else if (std::string_view("YMDdFWwXxHhmsf").find(part.component) != std::string_view::npos) {
    TRY(read_number_format(presentation, second, part));
  }
  if (part.component == 'Z' || part.component == 'z') {
    TRY_ASSIGN(part.integer, parse_integer_picture(presentation));
  }
  return part;
}

}  // namespace

Eval<std::vector<TimePart>> parse_time_picture(std::string_view picture) {
  std::vector<TimePart> parts;
  auto add_literal = [&](std::string_view text) {
    if (text.empty()) return;
    TimePart part;
    for (size_t i = 0; i < text.size(); ++i) {
      part.literal.push_back(text[i]);
      if (text.substr(i, 2) == "]]") ++i;  // doubled, written once
    }
    parts.push_back(std::move(part));
  };
  size_t start = 0;
  size_t at = 0;
  while ((at = picture.find('[', at)) != std::string_view::npos) {
    add_literal(picture.substr(start, at - start));
    if (picture.substr(at, 2) == "[[") {
      add_literal("[");
      at += 2;
      start = at;
      continue;
    }
    size_t end = picture.find(']', at);
    if (end == std::string_view::npos) return fault("D3135");
    TRY_ASSIGN(TimePart part, parse_marker(picture.substr(at + 1, end - at - 1)));
    parts.push_back(std::move(part));
    at = start = end + 1;
  }
  add_literal(picture.substr(start));
  return parts;
}

}  // namespace hearth::expression
