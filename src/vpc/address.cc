#include "vpc/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace hearth::vpc {
namespace {

struct Parts {
  std::string address;
  int prefix = 0;
};

std::optional<Parts> split(std::string_view text, int max_prefix) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos || text.size() > 64) return std::nullopt;
  auto digits = text.substr(slash + 1);
  int prefix = -1;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (error != std::errc() || end != digits.data() + digits.size() || prefix < 0 || prefix > max_prefix)
    return std::nullopt;
  return Parts{std::string(text.substr(0, slash)), prefix};
}

}  // namespace

std::string address_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 255, (address >> 8) & 255, address & 255);
}

std::string Cidr::text() const { return fmt::format("{}/{}", address_text(address), prefix); }

Result<uint32_t> parse_address(std::string_view text) {
  in_addr address{};
  if (text.size() > 15 || inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return fail(Kind::invalid, fmt::format("'{}' is not an IPv4 address", text.substr(0, 64)));
  return ntohl(address.s_addr);
}

Result<Cidr> parse_cidr(std::string_view text) {
  auto parts = split(text, 32);
  if (!parts) return fail(Kind::invalid, fmt::format("'{}' is not a CIDR block", text.substr(0, 64)));
  TRY_ASSIGN(uint32_t address, parse_address(parts->address));
  uint32_t mask = parts->prefix == 0 ? 0 : ~uint32_t{0} << (32 - parts->prefix);
  return Cidr{address & mask, parts->prefix};
}

Result<std::string> canonical_ipv6_cidr(std::string_view text) {
  auto refused = fail(Kind::invalid, fmt::format("'{}' is not an IPv6 CIDR block", text.substr(0, 64)));
  auto parts = split(text, 128);
  std::array<unsigned char, 16> bytes{};
  if (!parts || inet_pton(AF_INET6, parts->address.c_str(), bytes.data()) != 1) return refused;
  for (int bit = parts->prefix; bit < 128; ++bit)
    bytes[static_cast<size_t>(bit / 8)] &= static_cast<unsigned char>(~(0x80 >> (bit % 8)));
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (inet_ntop(AF_INET6, bytes.data(), out.data(), out.size()) == nullptr) return refused;
  return fmt::format("{}/{}", out.data(), parts->prefix);
}

bool assignable(const Cidr& subnet, uint32_t address) {
  return subnet.contains(address) && address - subnet.address >= kReservedFirst && address != subnet.last();
}

Result<uint32_t> next_free(const Cidr& subnet, const std::set<uint32_t>& taken) {
  for (uint64_t candidate = uint64_t{subnet.address} + kReservedFirst; candidate < subnet.last(); ++candidate)
    if (!taken.contains(static_cast<uint32_t>(candidate))) return static_cast<uint32_t>(candidate);
  return fail(Kind::exhausted, fmt::format("no address is free in {}", subnet.text()));
}

}  // namespace hearth::vpc
