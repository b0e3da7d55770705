#include "vpc/rules.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <tuple>

#include "vpc/address.h"

namespace hearth::vpc {
namespace {

constexpr size_t kMaxDescription = 255;
constexpr std::string_view kDescriptionPunctuation = " ._-:/()#,@[]+=&;{}!$*";

Result<std::string> protocol_name(const std::string& text) {
  if (text == "-1" || text == "all") return "-1";
  for (std::string_view name : {"tcp", "udp", "icmp", "icmpv6"})
    if (std::ranges::equal(text, name, {}, [](char c) { return std::tolower(c); })) return std::string(name);
  int number = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > 255)
    return fail(Kind::invalid, "Invalid value '" + text + "' for IP protocol. Unknown protocol.");
  switch (number) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    default:
      return std::to_string(number);
  }
}

Ec2Result<> normalize_ports(GroupRule& rule) {
  auto bad = [](std::string text) { return refuse(Kind::invalid, "InvalidParameterValue", std::move(text)); };
  if (rule.protocol == "tcp" || rule.protocol == "udp") {
    // EC2's clients write "all ports" of TCP as -1 too.
    if (rule.from_port == -1 && rule.to_port == -1) rule.from_port = 0, rule.to_port = 65535;
    if (rule.from_port < 0 || rule.to_port > 65535 || rule.from_port > 65535 || rule.to_port < 0)
      return bad(fmt::format("Invalid TCP/UDP port range ({}:{})", rule.from_port, rule.to_port));
    if (rule.from_port > rule.to_port)
      return bad(fmt::format("Invalid TCP/UDP port range ({}:{})", rule.from_port, rule.to_port));
    return {};
  }
  if (rule.protocol == "icmp" || rule.protocol == "icmpv6") {
    if (rule.from_port < -1 || rule.from_port > 255 || rule.to_port < -1 || rule.to_port > 255)
      return bad(fmt::format("ICMP code ({}:{}) is out of range", rule.from_port, rule.to_port));
    if (rule.from_port == -1 && rule.to_port != -1) return bad("ICMP code may only be given with an ICMP type");
    return {};
  }
  rule.from_port = rule.to_port = -1;
  return {};
}

}  // namespace

Ec2Result<> normalize(GroupRule& rule) {
  auto protocol = protocol_name(rule.protocol);
  if (!protocol) return refuse(Kind::invalid, "InvalidPermission.Malformed", protocol.error().message);
  rule.protocol = *protocol;
  TRY(normalize_ports(rule));
  if (rule.cidr.empty() == rule.referenced_group.empty())
    return refuse(Kind::invalid, "MissingParameter", "Each rule must have one source or destination");
  if (rule.cidr.find(':') != std::string::npos) {
    auto range = canonical_ipv6_cidr(rule.cidr);
    if (!range)
      return refuse(Kind::invalid, "InvalidParameterValue", fmt::format("CIDR block {} is malformed", rule.cidr));
    rule.cidr = *range;
  } else if (!rule.cidr.empty()) {
    auto range = parse_cidr(rule.cidr);
    if (!range)
      return refuse(Kind::invalid, "InvalidParameterValue", fmt::format("CIDR block {} is malformed", rule.cidr));
    rule.cidr = range->text();
  }
  bool clean = std::ranges::all_of(rule.description, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || kDescriptionPunctuation.find(c) != std::string_view::npos;
  });
  if (rule.description.size() > kMaxDescription || !clean)
    return refuse(Kind::invalid, "InvalidParameterValue",
                  "Invalid rule description. Valid descriptions are strings less than 256 characters from the "
                  "following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*");
  return {};
}

bool has_ports(const std::string& protocol) {
  auto name = protocol_name(protocol);
  return name && (*name == "tcp" || *name == "udp");
}

bool same_permission(const GroupRule& a, const GroupRule& b) {
  auto key = [](const GroupRule& r) {
    return std::tie(r.egress, r.protocol, r.from_port, r.to_port, r.cidr, r.referenced_group);
  };
  return key(a) == key(b);
}

std::string describe(const GroupRule& rule) {
  std::string protocol = rule.protocol == "-1" ? "ALL" : rule.protocol;
  std::ranges::transform(protocol, protocol.begin(), [](char c) { return std::toupper(c); });
  const std::string& peer = rule.cidr.empty() ? rule.referenced_group.str() : rule.cidr;
  if (rule.protocol == "tcp" || rule.protocol == "udp")
    return fmt::format("peer: {}, {}, from port: {}, to port: {}, ALLOW", peer, protocol, rule.from_port, rule.to_port);
  if (rule.protocol == "icmp" || rule.protocol == "icmpv6")
    return fmt::format("peer: {}, {}, type: {}, code: {}, ALLOW", peer, protocol, rule.from_port, rule.to_port);
  return fmt::format("peer: {}, {}, ALLOW", peer, protocol);
}

std::string policy_name(std::vector<GroupId> groups) {
  std::ranges::sort(groups);
  auto repeated = std::ranges::unique(groups);
  groups.erase(repeated.begin(), repeated.end());
  std::string text;
  for (const auto& group : groups) text += group.str() + "\n";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string name = "groups-";
  for (size_t i = 0; i < 8; ++i) name += fmt::format("{:02x}", digest[i]);
  return name;
}

Result<std::vector<warden::EgressRule>> egress_of(const std::vector<GroupId>& groups, const Records::Account& records,
                                                  const std::vector<NetworkInterface>& interfaces) {
  using Line = std::tuple<std::string, int64_t, int64_t, std::string>;
  std::set<Line> lines;
  auto add = [&lines](const GroupRule& rule, std::string cidr) {
    bool ports = rule.protocol == "tcp" || rule.protocol == "udp";
    lines.emplace(rule.protocol, ports ? rule.from_port : 0, ports ? rule.to_port : 65535, std::move(cidr));
  };
  for (const auto& id : groups) {
    auto group = records.groups.find(id);
    if (group == records.groups.end()) continue;  // lets nothing out
    for (const auto& rule : group->second.rules) {
      bool carried =
          rule.protocol == "tcp" || rule.protocol == "udp" || rule.protocol == "icmp" || rule.protocol == "-1";
      if (!rule.egress || !carried) continue;
      if (!rule.cidr.empty() && rule.cidr.find(':') == std::string::npos) add(rule, rule.cidr);
      if (rule.referenced_group.empty()) continue;
      for (const auto& interface : interfaces)
        if (std::ranges::find(interface.groups, rule.referenced_group) != interface.groups.end())
          add(rule, interface.address + "/32");
    }
  }
  if (lines.size() > warden::kMaxRules)
    return fail(Kind::exhausted, fmt::format("The security groups come to over {} egress rules", warden::kMaxRules));
  std::vector<warden::EgressRule> out;
  for (const auto& [protocol, from, to, cidr] : lines) out.push_back({protocol, from, to, cidr});
  return out;
}

}  // namespace hearth::vpc
