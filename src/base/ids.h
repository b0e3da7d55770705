// Identifiers: strings that can't be mixed up, and the makers of random ones.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

// A string with a type. Tag is any incomplete struct.
template <typename Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

using AccountId = Id<struct AccountTag>;      // 12 digits
using ContainerId = Id<struct ContainerTag>;  // "c" + 16 hex digits, chosen by the warden
using VpcId = Id<struct VpcTag>;              // vpc-0123456789abcdef0
using SubnetId = Id<struct SubnetTag>;        // subnet-…
using GroupId = Id<struct GroupTag>;          // sg-…
using GatewayId = Id<struct GatewayTag>;      // "gw-" + name
using PackageDigest = Id<struct PackageTag>;  // 64 hex digits, SHA-256 of the zip

// Whether it is the number of an account: 12 digits.
bool is_account(std::string_view text);

// `count` lower-case hex digits from the kernel's random generator.
std::string random_hex(size_t count);

// A random UUID (version 4), lower case.
std::string random_uuid();

}  // namespace hearth

template <typename Tag>
struct std::hash<hearth::Id<Tag>> {
  size_t operator()(const hearth::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
