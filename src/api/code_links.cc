#include "api/code_links.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <charconv>

namespace hearth::api {

CodeLinks::CodeLinks() : key_(random_hex(64)) {}

std::string CodeLinks::path_to(const PackageDigest& package, WallTime now) const {
  auto expires = std::chrono::duration_cast<std::chrono::seconds>((now + kLife).time_since_epoch()).count();
  auto what = fmt::format("{}.{}", package.str(), expires);
  return fmt::format("{}{}.{}", kPath, what, hex(key_.sign(what)));
}

Result<PackageDigest> CodeLinks::open(std::string_view token, WallTime now) const {
  auto denied = [] { return fail(Kind::denied, "Request has expired or its signature does not match"); };
  size_t last = token.rfind('.');
  size_t first = token.find('.');
  if (last == token.npos || first == last) return denied();
  auto what = token.substr(0, last), signature = token.substr(last + 1);
  auto wanted = hex(key_.sign(what));
  if (signature.size() != wanted.size()) return denied();
  if (CRYPTO_memcmp(signature.data(), wanted.data(), wanted.size()) != 0) return denied();
  auto seconds = what.substr(first + 1);
  int64_t expires = 0;
  auto parsed = std::from_chars(seconds.data(), seconds.data() + seconds.size(), expires);
  bool living = parsed.ec == std::errc() && now.time_since_epoch() < std::chrono::seconds(expires);
  if (!living) return denied();
  return PackageDigest(std::string(what.substr(0, first)));
}

}  // namespace hearth::api
