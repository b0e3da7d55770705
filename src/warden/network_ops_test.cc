#include "warden/network_ops.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

namespace hearth::warden {
namespace {

TEST(NetworkRule, ConvertsEachProtocol) {
  EXPECT_EQ(network_rule({"tcp", 1, 2, "0.0.0.0/0"}).value().protocol, IPPROTO_TCP);
  EXPECT_EQ(network_rule({"udp", 1, 2, "0.0.0.0/0"}).value().protocol, IPPROTO_UDP);
  EXPECT_EQ(network_rule({"icmp", -1, -1, "0.0.0.0/0"}).value().protocol, IPPROTO_ICMP);
  EXPECT_EQ(network_rule({"-1", -1, -1, "0.0.0.0/0"}).value().protocol, -1);
}

TEST(NetworkRule, KeepsPortsAndRange) {
  auto rule = network_rule({"tcp", 443, 8443, "10.1.2.0/24"}).value();
  EXPECT_EQ(rule.from_port, 443);
  EXPECT_EQ(rule.to_port, 8443);
  EXPECT_EQ(rule.address, 0x0a010200U);
  EXPECT_EQ(rule.prefix_length, 24);
}

TEST(NetworkRule, MinusOneIsAllPorts) {
  auto rule = network_rule({"-1", -1, -1, "0.0.0.0/0"}).value();
  EXPECT_EQ(rule.from_port, 0);
  EXPECT_EQ(rule.to_port, 65535);
}

TEST(NetworkRule, RefusesWhatIsNoRange) {
  EXPECT_EQ(network_rule({"tcp", 1, 2, "10.0.0.0"}).error().kind, Kind::invalid);
  EXPECT_EQ(network_rule({"tcp", 1, 2, "x/8"}).error().kind, Kind::invalid);
}

TEST(NetworkPage, GoesOnWhereTheLastOneEnded) {
  std::vector<gateway::FunctionNetwork::Named> all;
  for (size_t i = 0; i < 2 * kMaxListed + 1; ++i) {
    std::string digits = std::to_string(i);
    all.insert(all.begin(), {"n" + std::string(5 - digits.size(), '0') + digits, VpcId("vpc-1")});
  }
  std::vector<std::string> seen;
  ListNetworkReply page;
  do {
    page = page_of(all, seen.empty() ? "" : seen.back());
    EXPECT_LE(page.names.size(), kMaxListed);
    for (const auto& named : page.names) seen.push_back(named.name);
  } while (page.more && seen.size() < all.size());
  ASSERT_EQ(seen.size(), all.size());
  EXPECT_FALSE(page.more);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(page.names.back().vpc, "vpc-1");
  EXPECT_TRUE(page_of({}, "").names.empty());
}

}  // namespace
}  // namespace hearth::warden
