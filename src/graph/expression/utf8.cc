#include "graph/expression/utf8.h"

#include <locale.h>
#include <wctype.h>

#include <algorithm>

namespace hearth::expression {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// C.UTF-8 is part of Debian's libc-bin; without it only ASCII changes case.
locale_t unicode_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

// The sequence length that the first byte announces, and the payload bits of that byte.
size_t announced(unsigned char first, char32_t& bits) {
  if (first < 0x80) return bits = first, 1;
  if (first >= 0xC2 && first < 0xE0) return bits = first & 0x1F, 2;
  if (first >= 0xE0 && first < 0xF0) return bits = first & 0x0F, 3;
  if (first >= 0xF0 && first < 0xF5) return bits = first & 0x07, 4;
  return 0;
}

}  // namespace

void append_utf8(std::string& text, char32_t point) {
  auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

char32_t next_code_point(std::string_view text, size_t& position) {
  char32_t point = 0;
  size_t length = announced(static_cast<unsigned char>(text[position]), point);
  if (length == 0 || position + length > text.size()) return ++position, kReplacement;
  for (size_t i = 1; i < length; ++i) {
    auto byte = static_cast<unsigned char>(text[position + i]);
    if ((byte & 0xC0) != 0x80) return ++position, kReplacement;
    point = (point << 6) | (byte & 0x3F);
  }
  bool overlong = (length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10FFFF));
  if (overlong) return ++position, kReplacement;
  position += length;
  return point;
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) next_code_point(text, at);
  return count;
}

size_t count_utf16_units(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size();) count += next_code_point(text, at) >= 0x10000 ? 2 : 1;
  return count;
}

size_t offset_of_code_point(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) next_code_point(text, at);
  return at;
}

size_t offset_of_utf16_unit(std::string_view text, size_t index) {
  size_t at = 0;
  for (size_t units = 0; units < index && at < text.size();) units += next_code_point(text, at) >= 0x10000 ? 2 : 1;
  return at;
}

int compare_utf16(std::string_view left, std::string_view right) {
  size_t common = std::min(left.size(), right.size());
  size_t i = 0;
  while (i < common && left[i] == right[i]) ++i;
  if (i == common) return left.size() == right.size() ? 0 : (left.size() < right.size() ? -1 : 1);
  auto a = static_cast<unsigned char>(left[i]);
  auto b = static_cast<unsigned char>(right[i]);
  // Only a pair (first byte ≥ F0) against U+E000–U+FFFF (EE, EF) orders otherwise than the bytes do.
  if (a >= 0xF0 && (b == 0xEE || b == 0xEF)) return -1;
  if (b >= 0xF0 && (a == 0xEE || a == 0xEF)) return 1;
  return a < b ? -1 : 1;
}

namespace {

template <typename Map>
std::string map_case(std::string_view text, Map map) {
  std::string mapped;
  mapped.reserve(text.size());
  for (size_t at = 0; at < text.size();) append_utf8(mapped, map(next_code_point(text, at)));
  return mapped;
}

}  // namespace

std::string to_upper(std::string_view text) {
  if (is_ascii(text) || unicode_locale() == nullptr) {
    std::string mapped(text);
    for (char& c : mapped) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return mapped;
  }
  std::string mapped;
  mapped.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    char32_t point = next_code_point(text, at);
    if (point == 0xDF) {
      mapped += "SS";
    } else {
      append_utf8(mapped, static_cast<char32_t>(towupper_l(static_cast<wint_t>(point), unicode_locale())));
    }
  }
  return mapped;
}

std::string to_lower(std::string_view text) {
  if (is_ascii(text) || unicode_locale() == nullptr) {
    std::string mapped(text);
    for (char& c : mapped) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return mapped;
  }
  return map_case(text, [](char32_t point) {
    return static_cast<char32_t>(towlower_l(static_cast<wint_t>(point), unicode_locale()));
  });
}

std::u32string to_utf32(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  for (size_t at = 0; at < text.size();) points.push_back(next_code_point(text, at));
  return points;
}

std::string from_utf32(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (char32_t point : text) append_utf8(bytes, point);
  return bytes;
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t from = at;
    if (next_code_point(text, at) == kReplacement && at - from == 1) return false;
  }
  return true;
}

std::string repaired_utf8(std::string_view text) {
  return map_case(text, [](char32_t point) { return point >= 0xD800 && point <= 0xDFFF ? kReplacement : point; });
}

}  // namespace hearth::expression
