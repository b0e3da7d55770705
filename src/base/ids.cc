#include "base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace hearth {

bool is_account(std::string_view text) {
  return text.size() == 12 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string random_hex(size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(count);
  while (text.size() < count) {
    uint8_t bytes[32];
    if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) std::abort();
    for (size_t i = 0; i < sizeof bytes && text.size() < count; ++i) {
      text += kDigits[bytes[i] >> 4];
      if (text.size() < count) text += kDigits[bytes[i] & 15];
    }
  }
  return text;
}

std::string random_uuid() {
  std::string hex = random_hex(32);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] & 3];
  for (size_t at : {20, 16, 12, 8}) hex.insert(at, 1, '-');
  return hex;
}

}  // namespace hearth
