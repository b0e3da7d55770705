#include "gateway/names.h"

#include <gtest/gtest.h>

#include "gateway/outside.h"
#include "gateway/programs.h"

namespace hearth::gateway {
namespace {

TEST(Names, InterfaceNamesFitAndDiffer) {
  const Names names("hearth12", "/run/hearth12");
  const SubnetId subnet("subnet-0123456789abcdef0");
  for (const std::string& name : {names.outside_link(), names.uplink(subnet), Names::bridge(subnet),
                                  Names::attachment_port("subnet-0123456789abcdef0"), Names::host_port("db")})
    EXPECT_LE(name.size(), 15u) << name;
  EXPECT_NE(Names::bridge(subnet), Names::bridge(SubnetId("subnet-0123456789abcdef1")));
}

TEST(Names, WhatCouldLeaveItsFolderIsRefused) {
  for (const char* name : {"", ".", "..", ".x", "a/b", "a b", "a\n", "ü"}) EXPECT_FALSE(check_name("x", name)) << name;
  EXPECT_FALSE(check_name("x", std::string(65, 'a')));
  EXPECT_FALSE(check_name("x", std::string_view("a\0b", 3)));
  EXPECT_TRUE(check_name("x", std::string(64, 'a')));
  EXPECT_TRUE(check_name("x", "subnet-0.a_B"));
}

TEST(Names, AGatewayNeverSharesANamespace) {
  const Names names("hearth", "/run/hearth");
  ASSERT_EQ(names.gateway_netns(GatewayId("fn")), names.function_netns());
  ASSERT_EQ(names.gateway_netns(GatewayId("vpc-1")), names.vpc_netns(VpcId("1")));
  for (const char* name : {"fn", "vpc-1", "vpc-", "../fn"}) EXPECT_FALSE(check_gateway_name(name)) << name;
  for (const char* name : {"gw-0", "fn-1", "vpc"}) EXPECT_TRUE(check_gateway_name(name)) << name;
}

TEST(Names, AnAttachmentsMacIsItsOwnAndStays) {
  const Names names("hearth", "/run/hearth");
  const auto mac = names.attachment_mac("subnet-a");
  ASSERT_TRUE(mac);
  EXPECT_EQ((*mac)[0], 0x06);
  EXPECT_EQ(*mac, *names.attachment_mac("subnet-a"));
  EXPECT_NE(*mac, *names.attachment_mac("subnet-b"));
  EXPECT_NE(*mac, *Names("other", "/run/other").attachment_mac("subnet-a"));
}

TEST(Names, TheHostsTableLetsNothingReachTheHost) {
  const std::string script =
      nft_script(Names("hx", "/run/hx"), {.router = 0x647fff01, .gateway = 0x647fff02, .prefix_length = 30});
  EXPECT_NE(script.find("table ip hearth-hx"), std::string::npos);
  EXPECT_NE(script.find("ip saddr 100.127.255.2 oifname != \"hx-out\" masquerade"), std::string::npos);
  EXPECT_NE(script.find("iifname \"hx-out\" counter drop"), std::string::npos);
}

TEST(Bindings, AWordHoldsEverything) {
  const Binding full{
      .generation = 0xffffffff, .tag = kMaxTag, .gateway = kMaxGateways - 1, .peer = true, .policy = kMaxPolicies - 1};
  const Binding back = unpack(pack(full));
  EXPECT_EQ(back.generation, full.generation);
  EXPECT_EQ(back.tag, full.tag);
  EXPECT_EQ(back.gateway, full.gateway);
  EXPECT_EQ(back.peer, full.peer);
  EXPECT_EQ(back.policy, full.policy);
  EXPECT_NE(pack({.generation = 1}), 0u);
  EXPECT_FALSE(unpack(pack({.generation = 1, .tag = 1})).peer);
}

}  // namespace
}  // namespace hearth::gateway
