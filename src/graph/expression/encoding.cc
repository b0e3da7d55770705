#include "graph/expression/encoding.h"

#include <openssl/evp.h>

#include <array>

#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUpperHex[] = "0123456789ABCDEF";
constexpr char kLowerHex[] = "0123456789abcdef";

int base64_digit(char c) {
  size_t at = kBase64.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j)
      group = (group << 8) | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) {
      bool padding = i + j > bytes.size();
      out.push_back(padding ? '=' : kBase64[(group >> (18 - 6 * j)) & 0x3F]);
    }
  }
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  for (char c : text.substr(0, text.size() - padding)) {
    if (base64_digit(c) < 0) return std::nullopt;
  }
  return decode_base64_leniently(text);
}

std::string decode_base64_leniently(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    if (c == '=') break;
    int digit = base64_digit(c == '-' ? '+' : c == '_' ? '/' : c);
    if (digit < 0) continue;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>(bits >> held));
  }
  return out;
}

std::optional<std::string> percent_encode(std::string_view text, std::string_view kept) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t from = at;
    char32_t point = next_code_point(text, at);
    if (point >= 0xD800 && point <= 0xDFFF) return std::nullopt;
    char c = text[from];
    if (point < 0x80 && (is_alphanumeric(c) || kept.find(c) != std::string_view::npos)) {
      out.push_back(c);
      continue;
    }
    for (; from < at; ++from) {
      auto byte = static_cast<unsigned char>(text[from]);
      out.push_back('%');
      out.push_back(kUpperHex[byte >> 4]);
      out.push_back(kUpperHex[byte & 0xF]);
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text, std::string_view left_encoded) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    // One whole character of escapes: what its first byte announces.
    std::string bytes;
    size_t wanted = 1;
    size_t from = i;
    for (; bytes.size() < wanted; i += 3) {
      int high = i + 2 < text.size() && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
      int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0) return std::nullopt;
      bytes.push_back(static_cast<char>(high * 16 + low));
      auto first = static_cast<unsigned char>(bytes[0]);
      wanted = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    }
    size_t end = 0;
    char32_t point = next_code_point(bytes, end);
    bool malformed =
        end != bytes.size() || (point >= 0xD800 && point <= 0xDFFF) || (point == 0xFFFD && bytes.size() == 1);
    if (malformed) return std::nullopt;
    if (bytes.size() == 1 && left_encoded.find(bytes[0]) != std::string_view::npos) {
      out.append(text.substr(from, 3));
    } else {
      out += bytes;
    }
    --i;
  }
  return out;
}

std::optional<std::string> hex_digest(std::string_view bytes, std::string_view algorithm) {
  const EVP_MD* digest = nullptr;
  if (algorithm == "MD5") digest = EVP_md5();
  if (algorithm == "SHA-1") digest = EVP_sha1();
  if (algorithm == "SHA-256") digest = EVP_sha256();
  if (algorithm == "SHA-384") digest = EVP_sha384();
  if (algorithm == "SHA-512") digest = EVP_sha512();
  if (digest == nullptr) return std::nullopt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, digest, nullptr) != 1) return std::nullopt;
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex.push_back(kLowerHex[hash[i] >> 4]);
    hex.push_back(kLowerHex[hash[i] & 0xF]);
  }
  return hex;
}

std::string uuid_of(uint64_t high, uint64_t low) {
  high = (high & ~0xF000ULL) | 0x4000ULL;
  low = (low & ~(3ULL << 62)) | (2ULL << 62);
  std::string text;
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) text.push_back('-');
    uint64_t half = i < 16 ? high : low;
    text.push_back(kLowerHex[(half >> (60 - 4 * (i % 16))) & 0xF]);
  }
  return text;
}

JavaRandom::JavaRandom(int64_t seed) : state_((static_cast<uint64_t>(seed) ^ 0x5DEECE66DULL) & ((1ULL << 48) - 1)) {}

uint32_t JavaRandom::next(int bits) {
  state_ = (state_ * 0x5DEECE66DULL + 0xBULL) & ((1ULL << 48) - 1);
  return static_cast<uint32_t>(state_ >> (48 - bits));
}

double JavaRandom::next_double() {
  uint64_t high = next(26);
  uint64_t low = next(27);
  return static_cast<double>((high << 27) + low) * 0x1.0p-53;
}

int32_t JavaRandom::next_int(int32_t bound) {
  if ((bound & -bound) == bound) {
    return static_cast<int32_t>((static_cast<int64_t>(bound) * static_cast<int64_t>(next(31))) >> 31);
  }
  for (;;) {
    auto bits = static_cast<int64_t>(next(31));
    int64_t value = bits % bound;
    if (bits - value + (bound - 1) <= INT32_MAX) return static_cast<int32_t>(value);
  }
}

}  // namespace hearth::expression
