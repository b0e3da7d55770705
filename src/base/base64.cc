#include "base/base64.h"

#include <openssl/evp.h>

namespace hearth {

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.resize((bytes.size() + 2) / 3 * 4 + 1);  // the encoder ends with a 0
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                             reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  auto invalid = [] { return fail(Kind::invalid, "not base64"); };
  if (text.size() % 4 != 0 || text.find_first_of(" \t\r\n") != text.npos) return invalid();
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.substr(0, text.size() - padding).find('=') != text.npos) return invalid();
  std::string bytes;
  bytes.resize(text.size() / 4 * 3);
  if (text.empty()) return bytes;
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return invalid();
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

}  // namespace hearth
