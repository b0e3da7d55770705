// UTF-8 as JavaScript strings need it: by code point, by UTF-16 unit, with lone surrogates as three-byte sequences.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::expression {

// Appends the code point; 0xD800–0xDFFF too, as three bytes.
void append_utf8(std::string& text, char32_t code_point);

// The code point at `position`, which moves past it. A byte that is no UTF-8 counts as U+FFFD of one byte.
char32_t next_code_point(std::string_view text, size_t& position);

size_t count_code_points(std::string_view text);
size_t count_utf16_units(std::string_view text);
// The byte at which code point `index` begins; text.size() when there are fewer.
size_t offset_of_code_point(std::string_view text, size_t index);
// The byte at which UTF-16 unit `index` begins; inside a pair: the byte after the pair.
size_t offset_of_utf16_unit(std::string_view text, size_t index);

// Orders as JavaScript's `<` does: by UTF-16 unit.
int compare_utf16(std::string_view left, std::string_view right);

// Simple case mapping of every code point, and ß → SS, as ECMAScript does without a locale.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);

std::u32string to_utf32(std::string_view text);
std::string from_utf32(std::u32string_view text);

// Whether every byte belongs to a character; lone surrogates pass.
bool is_utf8(std::string_view text);

// `text` with every byte sequence that is no UTF-8 (surrogates included) replaced by U+FFFD.
std::string repaired_utf8(std::string_view text);

}  // namespace hearth::expression
