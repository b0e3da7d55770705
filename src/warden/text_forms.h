// The forms that texts of the protocol may have: names that are safe in paths and on the kernel's side, addresses.
//
// Pure; any bytes may come.
#pragma once

#include <string>
#include <string_view>

namespace hearth::warden {

bool is_hex(std::string_view text);  // lower case
// A letter or digit, then letters, digits, '.', '_' and '-'; at most `max_bytes`.
bool is_name(std::string_view text, size_t max_bytes);
bool is_address(const std::string& text);  // IPv4
bool is_cidr(const std::string& text);

}  // namespace hearth::warden
