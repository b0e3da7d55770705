#include "runtime/request_ids.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace hearth::runtime {

std::string RequestIds::next() {
  if (used_ == bytes_.size()) {
    for (size_t got = 0; got < bytes_.size();) {
      const auto part = ::getrandom(bytes_.data() + got, bytes_.size() - got, 0);
      if (part < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
      if (part > 0) got += static_cast<size_t>(part);
    }
    used_ = 0;
  }
  uint8_t* const bytes = bytes_.data() + used_;
  used_ += 16;
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 0x0f]);
  }
  return text;
}

}  // namespace hearth::runtime
