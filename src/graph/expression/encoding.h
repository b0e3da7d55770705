// Base64, percent-encoding, digests and UUIDs, as JavaScript, Java and Step Functions know them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::expression {

std::string encode_base64(std::string_view bytes);
// RFC 4648 with padding, nothing else; none when it is malformed.
std::optional<std::string> decode_base64(std::string_view text);
// As Node's Buffer.from(text, 'base64'): skips what is no digit (and takes -_ for +/), stops at '='.
std::string decode_base64_leniently(std::string_view text);

// What encodeURIComponent and encodeURI keep besides letters and digits; what decodeURI leaves encoded.
inline constexpr std::string_view kUriComponentKept = "-_.!~*'()";
inline constexpr std::string_view kUriKept = "-_.!~*'();/?:@&=+$,#";
inline constexpr std::string_view kUriReserved = ";/?:@&=+$,#";

// None for lone surrogates.
std::optional<std::string> percent_encode(std::string_view text, std::string_view kept);
// None for malformed escapes and bytes that are no UTF-8.
std::optional<std::string> percent_decode(std::string_view text, std::string_view left_encoded);

// Lowercase hexadecimal; `algorithm` is MD5, SHA-1, SHA-256, SHA-384 or SHA-512; none for another.
std::optional<std::string> hex_digest(std::string_view bytes, std::string_view algorithm);

// RFC 4122 version 4 of 128 random bits.
std::string uuid_of(uint64_t high, uint64_t low);

// java.util.Random, whose sequences seeds of $random and States.MathRandom name.
class JavaRandom {
 public:
  explicit JavaRandom(int64_t seed);
  double next_double();
  int32_t next_int(int32_t bound);  // REQUIRES: bound > 0

 private:
  uint32_t next(int bits);
  uint64_t state_;
};

}  // namespace hearth::expression
