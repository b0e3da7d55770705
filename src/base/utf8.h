// Lengths of UTF-8 texts. REQUIRES: valid UTF-8, which all text is that came in as JSON; of other bytes the lengths
// mean nothing, and nothing worse happens.
#pragma once

#include <algorithm>
#include <string_view>

namespace hearth {

inline bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// The first `max_bytes` of it at most, without a character cut in two.
inline std::string_view utf8_prefix(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && continues_character(text[end])) --end;
  return text.substr(0, end);
}

// Its length in UTF-16 units, which is what Java, and with it AWS, calls the length of a text.
inline size_t utf16_length(std::string_view text) {
  size_t units = 0;
  for (char c : text) {
    if (continues_character(c)) continue;
    units += static_cast<unsigned char>(c) >= 0xF0U ? 2 : 1;  // four bytes are a surrogate pair
  }
  return units;
}

}  // namespace hearth
