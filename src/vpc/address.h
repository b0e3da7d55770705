// IPv4 addresses and CIDR blocks: pure arithmetic, host byte order.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::vpc {

struct Cidr {
  uint32_t address = 0;  // first of the block
  int prefix = 0;        // 0…32

  uint64_t size() const { return uint64_t{1} << (32 - prefix); }
  uint32_t last() const { return static_cast<uint32_t>(address + size() - 1); }
  bool contains(uint32_t other) const { return other >= address && other <= last(); }
  bool contains(const Cidr& other) const { return other.prefix >= prefix && contains(other.address); }
  bool overlaps(const Cidr& other) const { return contains(other.address) || other.contains(address); }
  std::string text() const;
};

// "10.0.1.7/24" is 10.0.1.0/24: bits beyond the prefix are cleared, as EC2 does.
Result<Cidr> parse_cidr(std::string_view text);
Result<uint32_t> parse_address(std::string_view text);
std::string address_text(uint32_t address);

// An IPv6 block in canonical text ("2001:db8::/32"); for rules, which are kept though the network is IPv4 only.
Result<std::string> canonical_ipv6_cidr(std::string_view text);

// EC2 keeps the first four addresses of a subnet and the last; the first after the network's own is the router.
constexpr uint32_t kReservedFirst = 4;
constexpr uint64_t kReservedInAll = 5;

// May something other than EC2 have it?
bool assignable(const Cidr& subnet, uint32_t address);
// The lowest that is assignable and not in `taken`; exhausted when there is none.
Result<uint32_t> next_free(const Cidr& subnet, const std::set<uint32_t>& taken);

}  // namespace hearth::vpc
