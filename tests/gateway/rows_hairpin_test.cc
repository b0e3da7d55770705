// Row 22 of the correctness checklist: containers of one attachment that talk to each other by the gateway's address.
#include "tests/gateway/wire.h"

namespace hearth::gateway::test {
namespace {

class HairpinRows : public Wire {
 protected:
  void SetUp() override {
    Wire::SetUp();
    load();
    attach();
  }
  static Packet from(int container, uint8_t protocol) {
    Packet packet;
    packet.source = "100.64.1." + std::to_string(container);
    packet.source_mac = "02:64:00:00:00:0" + std::to_string(1 + container);
    packet.protocol = protocol;
    packet.tcp_flags = protocol == 6 ? kSyn : 0;
    packet.source_port = static_cast<uint16_t>(5000 + container);
    return packet;
  }
  // Its external port, which anybody may have told it.
  uint16_t port_of(int container, uint8_t protocol) {
    const auto out = through(from(container, protocol));
    return out ? out->source_port : 0;
  }
  std::optional<Packet> sends(int container, uint8_t protocol, uint16_t to_port) {
    Packet packet = from(container, protocol);
    packet.destination = "10.0.0.4";
    packet.destination_port = to_port;
    inside(packet);
    return seen_inside();
  }
};

TEST_F(HairpinRows, R22UdpAndTcpBetweenTwoContainersByTheirExternalAddresses) {
  for (const uint8_t protocol : {uint8_t{17}, uint8_t{6}}) {
    SCOPED_TRACE(int{protocol});
    const uint16_t zero = port_of(0, protocol), one = port_of(1, protocol);
    ASSERT_TRUE(zero && one);
    // Filtering is the same here as towards others: the first opens its own door only.
    EXPECT_FALSE(sends(0, protocol, one));
    const auto first = sends(1, protocol, zero);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->source, "10.0.0.4");
    EXPECT_EQ(first->source_port, one);
    EXPECT_EQ(first->destination, "100.64.1.0");
    EXPECT_EQ(first->destination_port, 5000);
    EXPECT_EQ(first->destination_mac, "02:64:00:00:00:01");
    EXPECT_EQ(first->tag, kTag);
    EXPECT_EQ(first->payload, "payload");
    EXPECT_TRUE(first->ip_sum_good);
    EXPECT_TRUE(first->sum_good);
    const auto second = sends(0, protocol, one);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->source_port, zero);
    EXPECT_EQ(second->destination, "100.64.1.1");
    EXPECT_EQ(second->destination_port, 5001);
    EXPECT_TRUE(second->sum_good);
  }
  EXPECT_FALSE(seen_outside());
  EXPECT_EQ(counters().packets_hairpinned, 6u);
}

TEST_F(HairpinRows, R22AnErrorAboutAPacketFromTheNextContainerFindsItsWayBack) {
  const uint16_t zero = port_of(0, 17), one = port_of(1, 17);
  EXPECT_FALSE(sends(0, 17, one));
  Packet packet = from(1, 17);
  packet.destination = "10.0.0.4";
  packet.destination_port = zero;
  inside(packet);
  const std::string received = raw_inside();
  ASSERT_NE(received, "");
  Packet error = icmp_error(3, received.substr(14));
  error.destination = "10.0.0.4";
  inside(error);
  const auto told = seen_inside();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->source, "10.0.0.4");
  EXPECT_EQ(told->destination, "100.64.1.1");
  EXPECT_TRUE(told->sum_good);
  const auto quoted = parse_ip(told->payload);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->source, "100.64.1.1");
  EXPECT_EQ(quoted->source_port, 5001);
  EXPECT_EQ(quoted->destination, "10.0.0.4");
  EXPECT_EQ(quoted->destination_port, zero);
  EXPECT_TRUE(quoted->sum_good);
}

TEST_F(HairpinRows, R22WhatNobodyAskedForIsDroppedInsideToo) {
  const uint16_t one = port_of(1, 17);
  EXPECT_FALSE(sends(0, 17, one));
  EXPECT_EQ(counters().dropped_no_session, 1u);
  EXPECT_FALSE(sends(0, 17, 1));
  EXPECT_EQ(counters().dropped_no_session, 2u);
}

// A host of the VPC that calls itself the gateway must not be taken for a container.
TEST_F(HairpinRows, R22TheGatewaysAddressFromOutsideIsSpoofed) {
  const uint16_t zero = port_of(0, 17), one = port_of(1, 17);
  EXPECT_FALSE(sends(0, 17, one));
  Packet spoofed;
  spoofed.source = spoofed.destination = "10.0.0.4";
  spoofed.destination_mac = mac_;
  spoofed.source_port = one;
  spoofed.destination_port = zero;
  outside(spoofed);
  EXPECT_FALSE(seen_inside());
  EXPECT_EQ(counters().dropped_own_source, 1u);
}

}  // namespace
}  // namespace hearth::gateway::test
