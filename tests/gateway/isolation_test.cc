// What must not pass.
#include <gmock/gmock.h>

#include "tests/gateway/world.h"

namespace hearth::gateway::test {
namespace {

class Isolation : public World {};

Rule rule(int protocol, uint16_t from, uint16_t to, uint32_t address, int length) {
  return {.protocol = protocol, .from_port = from, .to_port = to, .address = address, .prefix_length = length};
}

TEST_F(Isolation, SpoofedPacketsAreDroppedAndCounted) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  send_frame(slot.netns.get(), udp_frame("02:64:ff:ff:ff:ff", slot.address, "10.0.0.10"));
  EXPECT_EQ(counter(red.attachment, "slot_dropped_spoofed_mac"), 1);
  send_frame(slot.netns.get(), udp_frame(slot.mac, "100.64.9.9", "10.0.0.10"));
  EXPECT_EQ(counter(red.attachment, "slot_dropped_spoofed_address"), 1);
  std::string arp = udp_frame(slot.mac, slot.address, "10.0.0.10");
  arp[13] = 0x06;
  send_frame(slot.netns.get(), arp);
  EXPECT_EQ(counter(red.attachment, "slot_dropped_arp"), 1);
  std::string v6 = udp_frame(slot.mac, slot.address, "10.0.0.10");
  v6[12] = static_cast<char>(0x86);
  v6[13] = static_cast<char>(0xdd);
  send_frame(slot.netns.get(), v6);
  EXPECT_EQ(counter(red.attachment, "slot_dropped_ipv6"), 1);
  EXPECT_EQ(red.server->datagrams(), 0);
  // The same frame with its own addresses arrives: only what was changed above stopped it.
  send_frame(slot.netns.get(), udp_frame(slot.mac, slot.address, "10.0.0.10"));
  for (int i = 0; i < 100 && red.server->datagrams() == 0; ++i) pump(10);
  EXPECT_EQ(red.server->datagrams(), 1);
}

TEST_F(Isolation, PlatformAddressesAreNoDestinations) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot(), other = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  ASSERT_TRUE(net().bind(other, red.attachment, ""));
  for (const std::string& address : {std::string("169.254.169.254"), std::string("100.64.0.1"), other.address,
                                     std::string("100.127.255.1"), std::string("224.0.0.1"), std::string("127.0.0.1")})
    send_frame(slot.netns.get(), udp_frame(slot.mac, slot.address, address));
  EXPECT_EQ(counter(red.attachment, "slot_dropped_forbidden_destination"), 6);
}

TEST_F(Isolation, PolicyLetsThroughWhatItSaysAndRunningContainersFollow) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().ensure_policy("db", {rule(6, 5432, 5432, 0x0a000000, 8)}));
  ASSERT_TRUE(net().bind(slot, red.attachment, "db"));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "");
  EXPECT_GE(counter(red.attachment, "slot_dropped_policy"), 1);
  ASSERT_TRUE(net().ensure_policy("db", {rule(6, 5432, 5432, 0x0a000000, 8), rule(6, 6000, 7000, 0x0a00000a, 32)}));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(ask_udp(slot.netns.get(), "10.0.0.10", 7000, 100), "");
  ASSERT_TRUE(net().ensure_policy("db", {rule(-1, 0, 65535, 0, 0)}));
  EXPECT_EQ(ask_udp(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_FALSE(net().delete_policy("db"));
  ASSERT_TRUE(net().unbind(slot));
  EXPECT_TRUE(net().delete_policy("db"));
}

TEST_F(Isolation, TheLastOfAThousandRulesCountsAndOneMoreIsRefused) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  std::vector<Rule> rules(999, rule(17, 1, 1, 0x0b000000, 8));
  rules.push_back(rule(17, 7000, 7000, 0x0a00000a, 32));
  ASSERT_TRUE(net().ensure_policy("long", rules));
  ASSERT_TRUE(net().bind(slot, red.attachment, "long"));
  EXPECT_EQ(ask_udp(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  rules.push_back(rules.back());
  EXPECT_EQ(net().ensure_policy("long", rules).error().kind, Kind::invalid);
}

TEST_F(Isolation, AMachineWithoutItsImageIsRefused) {
  close();
  options_.gateway_image = "/nowhere";
  open();
  const auto refused = net().ensure_gateway(GatewayId("gw-x"), "vm");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::unavailable);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("no image of a machine in /nowhere"));
}

TEST_F(Isolation, OtherDriversAndBadNamesAreRefused) {
  EXPECT_EQ(net().ensure_gateway(GatewayId("gw-x"), "docker").error().kind, Kind::invalid);
  EXPECT_EQ(net().ensure_gateway(GatewayId("../x"), "auto").error().kind, Kind::invalid);
  EXPECT_EQ(net().ensure_vpc(VpcId("a/b")).error().kind, Kind::invalid);
  EXPECT_EQ(net().delete_vpc_host("../../etc").error().kind, Kind::invalid);
  const Slot slot = make_slot();
  EXPECT_EQ(net().bind(slot, "nowhere", "").error().kind, Kind::unavailable);
}

}  // namespace
}  // namespace hearth::gateway::test
