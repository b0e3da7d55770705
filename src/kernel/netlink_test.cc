#include "kernel/netlink.h"

#include <gtest/gtest.h>

namespace hearth::kernel {
namespace {

TEST(Netlink, AddressesAndPrefixesAreReadAsWritten) {
  EXPECT_EQ(*parse_address("100.64.0.1"), 0x64400001u);
  EXPECT_EQ(address_text(0x64400001), "100.64.0.1");
  const auto prefix = parse_prefix("10.1.2.0/24");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->mask(), 0xffffff00u);
  EXPECT_EQ(prefix->network(), 0x0a010200u);
  EXPECT_EQ(parse_prefix("0.0.0.0/0")->mask(), 0u);
  EXPECT_EQ(parse_prefix("10.0.0.1/32")->mask(), 0xffffffffu);
}

TEST(Netlink, WhatIsNoAddressOrPrefixIsRefused) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1 ", "::1", "a.b.c.d"})
    EXPECT_EQ(parse_address(text).error().kind, Kind::invalid) << text;
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8",
                           "10.0.0.0/008", "/8", "10.0.0.0/8/8"})
    EXPECT_EQ(parse_prefix(text).error().kind, Kind::invalid) << text;
}

TEST(Netlink, MacsArePrintedAsPeopleWriteThem) {
  EXPECT_EQ(to_string(Mac{0x02, 0x64, 0, 0, 0x0a, 0xff}), "02:64:00:00:0a:ff");
}

TEST(Netlink, LoopbackIsFoundByNameAndNumber) {
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink) << netlink.error().describe();
  const auto by_name = netlink->link("lo");
  ASSERT_TRUE(by_name) << by_name.error().describe();
  EXPECT_EQ(netlink->link(by_name->ifindex)->name, "lo");
  EXPECT_EQ(netlink->link("hearth-nothing").error().kind, Kind::not_found);
  EXPECT_EQ(netlink->link("a-name-that-is-too-long").error().kind, Kind::invalid);
}

TEST(Netlink, ABatchThatIsTooLongIsRefusedWhole) {
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink);
  Batch batch;
  for (int i = 0; i < 3000; ++i) batch.up("hearth-nothing");
  EXPECT_EQ(netlink->run(batch).error().kind, Kind::exhausted);
}

TEST(Netlink, TheFirstFailureOfABatchIsTold) {
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink);
  Batch batch;
  batch.up("hearth-first");
  batch.up("hearth-second");
  const auto ran = netlink->run(batch);
  ASSERT_FALSE(ran);
  EXPECT_NE(ran.error().message.find("hearth-first"), std::string::npos) << ran.error().message;
}

}  // namespace
}  // namespace hearth::kernel
