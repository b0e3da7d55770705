#include "vpc/rules.h"

#include <gtest/gtest.h>

namespace hearth::vpc {
namespace {

GroupRule rule(std::string protocol, int64_t from, int64_t to, std::string cidr) {
  GroupRule made;
  made.egress = true;
  made.protocol = std::move(protocol);
  made.from_port = from;
  made.to_port = to;
  made.cidr = std::move(cidr);
  return made;
}

std::string code_of(GroupRule given) {
  auto result = normalize(given);
  return result ? "" : result.error().code;
}

std::string shown(GroupRule given) {
  auto result = normalize(given);
  return result ? describe(given) : result.error().message;
}

TEST(Rules, AreBroughtIntoOneForm) {
  EXPECT_EQ(shown(rule("6", 80, 80, "10.0.0.9/8")), "peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW");
  EXPECT_EQ(shown(rule("TCP", -1, -1, "0.0.0.0/0")), "peer: 0.0.0.0/0, TCP, from port: 0, to port: 65535, ALLOW");
  EXPECT_EQ(shown(rule("icmp", 8, -1, "0.0.0.0/0")), "peer: 0.0.0.0/0, ICMP, type: 8, code: -1, ALLOW");
  EXPECT_EQ(shown(rule("-1", 5, 9, "0.0.0.0/0")), "peer: 0.0.0.0/0, ALL, ALLOW");
  EXPECT_EQ(shown(rule("50", 5, 9, "2001:DB8::1/32")), "peer: 2001:db8::/32, 50, ALLOW");
}

TEST(Rules, RefuseWhatEc2Refuses) {
  EXPECT_EQ(code_of(rule("tcp", 80, 79, "0.0.0.0/0")), "InvalidParameterValue");
  EXPECT_EQ(code_of(rule("udp", 0, 65536, "0.0.0.0/0")), "InvalidParameterValue");
  EXPECT_EQ(code_of(rule("tcp", 80, 80, "nowhere")), "InvalidParameterValue");
  EXPECT_EQ(code_of(rule("tcp", 80, 80, "")), "MissingParameter");
  EXPECT_EQ(code_of(rule("smoke", 80, 80, "0.0.0.0/0")), "InvalidPermission.Malformed");
  EXPECT_EQ(code_of(rule("256", 80, 80, "0.0.0.0/0")), "InvalidPermission.Malformed");
  auto described = rule("tcp", 80, 80, "0.0.0.0/0");
  described.description = std::string(256, 'x');
  EXPECT_EQ(code_of(described), "InvalidParameterValue");
  described.description = "a <b>";
  EXPECT_EQ(code_of(described), "InvalidParameterValue");
}

TEST(Rules, PolicyNameFollowsTheSetNotTheOrder) {
  GroupId a("sg-a");
  GroupId b("sg-b");
  EXPECT_EQ(policy_name({a, b}), policy_name({b, a, b}));
  EXPECT_NE(policy_name({a, b}), policy_name({a}));
  EXPECT_EQ(policy_name({a}).size(), std::string("groups-").size() + 16);
}

class Egress : public ::testing::Test {
 protected:
  void add(std::string id, std::vector<GroupRule> rules) {
    Group group;
    group.id = GroupId(id);
    group.rules = std::move(rules);
    records.groups[group.id] = group;
  }
  std::string of(std::vector<GroupId> groups) {
    auto lines = egress_of(groups, records, interfaces);
    if (!lines) return std::string(to_string(lines.error().kind));
    std::string out;
    for (const auto& line : *lines)
      out += line.protocol + " " + std::to_string(line.from_port) + "-" + std::to_string(line.to_port) + " " +
             line.cidr + "; ";
    return out;
  }
  Records::Account records;
  std::vector<NetworkInterface> interfaces;
};

TEST_F(Egress, IsTheUnionWithoutRepeats) {
  add("sg-a", {rule("tcp", 443, 443, "0.0.0.0/0"), rule("icmp", 8, 0, "10.0.0.0/8")});
  add("sg-b", {rule("tcp", 443, 443, "0.0.0.0/0"), rule("-1", -1, -1, "10.1.0.0/16")});
  EXPECT_EQ(of({GroupId("sg-a"), GroupId("sg-b")}),
            "-1 0-65535 10.1.0.0/16; icmp 0-65535 10.0.0.0/8; tcp 443-443 0.0.0.0/0; ");
}

TEST_F(Egress, LeavesOutIngressOtherProtocolsAndIpv6) {
  auto ingress = rule("tcp", 22, 22, "0.0.0.0/0");
  ingress.egress = false;
  add("sg-a", {ingress, rule("50", -1, -1, "0.0.0.0/0"), rule("tcp", 80, 80, "::/0")});
  EXPECT_EQ(of({GroupId("sg-a")}), "");
  EXPECT_EQ(of({GroupId("sg-unknown")}), "");
}

TEST_F(Egress, AGroupStandsForTheAddressesOfItsFunctions) {
  auto to_b = rule("tcp", 5432, 5432, "");
  to_b.referenced_group = GroupId("sg-b");
  add("sg-a", {to_b});
  add("sg-b", {});
  NetworkInterface in_b;
  in_b.address = "10.0.1.9";
  in_b.groups = {GroupId("sg-b")};
  NetworkInterface in_a;
  in_a.address = "10.0.1.4";
  in_a.groups = {GroupId("sg-a")};
  interfaces = {in_b, in_a};
  EXPECT_EQ(of({GroupId("sg-a")}), "tcp 5432-5432 10.0.1.9/32; ");
}

TEST_F(Egress, IsBoundedByWhatTheWardenTakes) {
  std::vector<GroupRule> rules;
  for (size_t i = 0; i < warden::kMaxRules; ++i)
    rules.push_back(rule("tcp", static_cast<int64_t>(i), 65535, "0.0.0.0/0"));
  add("sg-a", rules);
  EXPECT_NE(of({GroupId("sg-a")}), "exhausted");
  add("sg-b", {rule("udp", 1, 1, "0.0.0.0/0")});
  EXPECT_EQ(of({GroupId("sg-a"), GroupId("sg-b")}), "exhausted");
}

}  // namespace
}  // namespace hearth::vpc
