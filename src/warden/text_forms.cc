#include "warden/text_forms.h"

#include <arpa/inet.h>

#include <algorithm>

namespace hearth::warden {

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

namespace {

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

bool is_name(std::string_view text, size_t max_bytes) {
  if (text.empty() || text.size() > max_bytes || !is_alnum(text[0])) return false;
  return std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_address(const std::string& text) {
  in_addr parsed{};
  return inet_pton(AF_INET, text.c_str(), &parsed) == 1 && text.find('\0') == std::string::npos;
}

bool is_cidr(const std::string& text) {
  auto slash = text.find('/');
  if (slash == std::string::npos || !is_address(text.substr(0, slash))) return false;
  std::string_view bits = std::string_view(text).substr(slash + 1);
  if (bits.empty() || bits.size() > 2 || !std::ranges::all_of(bits, [](char c) { return c >= '0' && c <= '9'; })) {
    return false;
  }
  if (bits.size() == 2 && bits[0] == '0') return false;
  return (bits.size() == 1 ? bits[0] - '0' : (bits[0] - '0') * 10 + (bits[1] - '0')) <= 32;
}

}  // namespace hearth::warden
