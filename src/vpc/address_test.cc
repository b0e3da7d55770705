#include "vpc/address.h"

#include <gtest/gtest.h>

namespace hearth::vpc {
namespace {

TEST(Address, CidrIsReadInCanonicalForm) {
  EXPECT_EQ(parse_cidr("10.0.1.7/24")->text(), "10.0.1.0/24");
  EXPECT_EQ(parse_cidr("255.255.255.255/0")->text(), "0.0.0.0/0");
  EXPECT_EQ(parse_cidr("10.0.0.1/32")->text(), "10.0.0.1/32");
  for (auto bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "10.0.0.0/8x", "a/8",
                   "10.0.0.256/8", "/8", "10.0.0.0//8"})
    EXPECT_FALSE(parse_cidr(bad)) << bad;
}

TEST(Address, BlocksContainAndOverlap) {
  auto vpc = *parse_cidr("10.0.0.0/16");
  EXPECT_TRUE(vpc.contains(*parse_cidr("10.0.255.0/24")));
  EXPECT_FALSE(vpc.contains(*parse_cidr("10.1.0.0/24")));
  EXPECT_FALSE(vpc.contains(*parse_cidr("10.0.0.0/8")));
  EXPECT_TRUE(vpc.overlaps(*parse_cidr("10.0.0.0/8")));
  EXPECT_FALSE(vpc.overlaps(*parse_cidr("10.1.0.0/16")));
  EXPECT_EQ(parse_cidr("0.0.0.0/0")->last(), 0xffffffffu);
}

TEST(Address, FirstFourAndLastOfASubnetAreReserved) {
  auto subnet = *parse_cidr("10.0.0.0/28");
  auto is = [&](const char* text) { return assignable(subnet, *parse_address(text)); };
  EXPECT_FALSE(is("10.0.0.3"));
  EXPECT_TRUE(is("10.0.0.4"));
  EXPECT_TRUE(is("10.0.0.14"));
  EXPECT_FALSE(is("10.0.0.15"));
  EXPECT_FALSE(is("10.0.0.16"));
}

TEST(Address, NextFreeFillsTheSubnetThenRunsOut) {
  auto subnet = *parse_cidr("10.0.0.0/28");
  std::set<uint32_t> taken{*parse_address("10.0.0.5")};
  std::string order;
  while (auto next = next_free(subnet, taken)) {
    order += address_text(*next).substr(7) + " ";
    taken.insert(*next);
  }
  EXPECT_EQ(order, "4 6 7 8 9 10 11 12 13 14 ");
  EXPECT_EQ(next_free(subnet, taken).error().kind, Kind::exhausted);
}

TEST(Address, Ipv6BlocksLoseTheirHostBits) {
  EXPECT_EQ(*canonical_ipv6_cidr("2001:DB8:0::1/33"), "2001:db8::/33");
  EXPECT_EQ(*canonical_ipv6_cidr("::/0"), "::/0");
  EXPECT_FALSE(canonical_ipv6_cidr("2001:db8::/129"));
  EXPECT_FALSE(canonical_ipv6_cidr("10.0.0.0/8"));
}

}  // namespace
}  // namespace hearth::vpc
