// CodeLinks: short-lived links to a package's zip, as GetFunction's Code.Location.
//
// Whoever has the link may read the package until it ends; the signing key lives as long as this object, so a restart
// ends all links. A token is "<digest>.<expiry>.<signature>"; one that is not ours, altered or too old is refused.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/sha256.h"

namespace hearth::api {

class CodeLinks {
 public:
  static constexpr std::string_view kPath = "/_hearth/code/";
  static constexpr std::chrono::minutes kLife{10};  // as on AWS

  CodeLinks();

  // "/_hearth/code/<token>".
  std::string path_to(const PackageDigest& package, WallTime now) const;
  // Kind::denied for what is not a living token.
  Result<PackageDigest> open(std::string_view token, WallTime now) const;

 private:
  HmacSha256 key_;
};

}  // namespace hearth::api
