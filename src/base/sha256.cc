// The one-shot and EVP forms fetch and allocate on every call (OpenSSL 3); these functions are deprecated for new
// algorithms' sake, not for fault.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/sha256.h"

#include <openssl/sha.h>

#include <cstring>

namespace hearth {
namespace {

SHA256_CTX* context(std::byte* state) { return reinterpret_cast<SHA256_CTX*>(state); }

std::string_view masked(std::string_view key, uint8_t mask, std::array<char, SHA256_CBLOCK>& block) {
  block.fill(static_cast<char>(mask));
  for (size_t i = 0; i < key.size(); ++i) block[i] = static_cast<char>(key[i] ^ mask);
  return {block.data(), block.size()};
}

}  // namespace

Sha256::Sha256() {
  static_assert(sizeof(SHA256_CTX) <= sizeof state_ && alignof(SHA256_CTX) <= 8);
  SHA256_Init(context(state_.data()));
}

void Sha256::update(std::string_view bytes) { SHA256_Update(context(state_.data()), bytes.data(), bytes.size()); }

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  SHA256_Final(digest.data(), context(state_.data()));
  return digest;
}

Sha256Digest Sha256::of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

HmacSha256::HmacSha256(std::string_view key) {
  Sha256Digest short_key;
  if (key.size() > SHA256_CBLOCK) {
    short_key = Sha256::of(key);
    key = as_text(short_key);
  }
  std::array<char, SHA256_CBLOCK> block;
  inner_.update(masked(key, 0x36, block));
  outer_.update(masked(key, 0x5c, block));
}

Sha256Digest HmacSha256::sign(std::string_view text) const {
  Sha256 inner = inner_;
  inner.update(text);
  Sha256 outer = outer_;
  outer.update(as_text(inner.finish()));
  return outer.finish();
}

std::string_view as_text(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void append_hex(std::string& to, const Sha256Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (uint8_t byte : digest) {
    to.push_back(kDigits[byte >> 4]);
    to.push_back(kDigits[byte & 15]);
  }
}

std::string hex(const Sha256Digest& digest) {
  std::string text;
  text.reserve(64);
  append_hex(text, digest);
  return text;
}

}  // namespace hearth
