// SHA-256 and HMAC-SHA-256 without allocation, for the request path (FIPS 180-4, RFC 2104).
//
// Plain values; OpenSSL's block functions do the work.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  // The digest of all bytes so far; the object must not be used afterwards.
  Sha256Digest finish();

  static Sha256Digest of(std::string_view bytes);

 private:
  alignas(8) std::array<std::byte, 112> state_;  // OpenSSL's SHA256_CTX
};

// A key made ready: each sign() costs only the blocks of its text.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  Sha256Digest sign(std::string_view text) const;

 private:
  Sha256 inner_;
  Sha256 outer_;
};

std::string_view as_text(const Sha256Digest& digest);
// 64 lower-case hex digits.
std::string hex(const Sha256Digest& digest);
void append_hex(std::string& to, const Sha256Digest& digest);

}  // namespace hearth
