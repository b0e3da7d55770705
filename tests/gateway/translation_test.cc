// The translation itself: bytes in, bytes out.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "kernel/netlink.h"
#include "tests/gateway/wire.h"

namespace hearth::gateway::test {
namespace {

class Translation : public Wire {
 protected:
  void SetUp() override {
    Wire::SetUp();
    load();
    attach();
  }
};

Packet with(void (*change)(Packet&)) {
  Packet packet;
  change(packet);
  return packet;
}

struct RoundTrip {
  const char* description;
  Packet packet;
};

TEST_F(Translation, OutAndBackWithGoodChecksums) {
  const RoundTrip cases[] = {
      {"UDP", with([](Packet&) {})},
      {"UDP, odd length", with([](Packet& p) { p.payload = "abc"; })},
      {"TCP SYN", with([](Packet& p) { p.protocol = 6, p.tcp_flags = kSyn; })},
      {"TCP with data and no session",
       with([](Packet& p) { p.protocol = 6, p.tcp_flags = kAck, p.source_port = 5001; })},
      {"ICMP echo", with([](Packet& p) { p.protocol = 1; })},
      {"IP options", with([](Packet& p) { p.option_words = 3, p.source_port = 5002; })},
      {"beyond the router", with([](Packet& p) { p.destination = "192.0.2.9", p.source_port = 5003; })},
      {"no payload", with([](Packet& p) { p.payload = "", p.source_port = 5004; })},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.description);
    const auto out = through(each.packet);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->tag, kTag);
    EXPECT_EQ(out->source, "10.0.0.4");
    EXPECT_EQ(out->destination, each.packet.destination);
    EXPECT_EQ(out->source_mac, mac_);
    EXPECT_EQ(out->destination_mac, each.packet.destination == "10.0.0.10" ? "02:00:00:00:00:0a" : "02:00:00:00:00:01");
    EXPECT_GE(out->source_port, 1024);
    EXPECT_EQ(out->ttl, 63);
    EXPECT_EQ(out->payload, each.packet.payload);
    EXPECT_TRUE(out->ip_sum_good);
    EXPECT_TRUE(out->sum_good);
    outside(answer(*out));
    const auto back = seen_inside();
    ASSERT_TRUE(back);
    EXPECT_EQ(back->tag, kTag);
    EXPECT_EQ(back->source, each.packet.destination);
    EXPECT_EQ(back->destination, each.packet.source);
    EXPECT_EQ(back->destination_mac, each.packet.source_mac);
    EXPECT_EQ(back->destination_port, each.packet.source_port);
    EXPECT_EQ(back->payload, "answer");
    EXPECT_TRUE(back->ip_sum_good);
    EXPECT_TRUE(back->sum_good);
  }
}

TEST_F(Translation, UdpWithoutChecksumKeepsNone) {
  const auto out = through(with([](Packet& p) { p.no_checksum = true; }));
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->no_checksum);
  EXPECT_TRUE(out->ip_sum_good);
}

TEST_F(Translation, OnePortForOneSocketTowardsAllDestinationsAndAnotherForAnotherSocket) {
  know("10.0.0.11");
  const auto first = through(Packet{});
  const auto second = through(with([](Packet& p) { p.destination = "10.0.0.11", p.destination_port = 99; }));
  const auto other = through(with([](Packet& p) { p.source_port = 5001; }));
  ASSERT_TRUE(first && second && other);
  EXPECT_EQ(first->source_port, second->source_port);
  EXPECT_NE(first->source_port, other->source_port);
  EXPECT_EQ(first->source_port / kBlockPorts, other->source_port / kBlockPorts);
}

TEST_F(Translation, SameAddressesUnderTwoTagsAreTwoWorlds) {
  attach(8);
  const auto seven = through(Packet{});
  const auto eight = through(with([](Packet& p) { p.tag = 8, p.source_mac = "02:64:00:00:00:02"; }));
  ASSERT_TRUE(seven && eight);
  EXPECT_EQ(eight->tag, 8u);
  // An answer for the one is nobody's in the other.
  Packet wrong = answer(*seven);
  wrong.tag = 8;
  wrong.destination_port = static_cast<uint16_t>(eight->source_port ^ 1);
  outside(wrong);
  EXPECT_FALSE(seen_inside());
  outside(answer(*eight));
  const auto back = seen_inside();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->tag, 8u);
  EXPECT_EQ(back->destination_mac, "02:64:00:00:00:02");
}

struct Dropped {
  const char* description;
  Packet packet;
  __u64 gateway_counters::* counter;
};

TEST_F(Translation, DropsFromInsideAreCountedByCause) {
  const Dropped cases[] = {
      {"no such attachment", with([](Packet& p) { p.tag = 9; }), &gateway_counters::dropped_no_attachment},
      {"a MAC of no slot", with([](Packet& p) { p.source_mac = "02:65:00:00:00:01"; }),
       &gateway_counters::dropped_malformed},
      {"first fragment", with([](Packet& p) { p.fragment = 0x2000; }), &gateway_counters::dropped_fragment},
      {"later fragment", with([](Packet& p) { p.fragment = 100; }), &gateway_counters::dropped_fragment},
      {"TTL 1", with([](Packet& p) { p.ttl = 1; }), &gateway_counters::dropped_ttl},
      {"GRE", with([](Packet& p) { p.protocol = 47; }), &gateway_counters::dropped_protocol},
      {"ICMP redirect", with([](Packet& p) { p.protocol = 1, p.icmp_type = 5; }), &gateway_counters::dropped_protocol},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.description);
    const auto before = counters(each.packet.tag).*each.counter;
    EXPECT_FALSE(through(each.packet));
    EXPECT_EQ(counters(each.packet.tag).*each.counter, before + 1);
  }
}

TEST_F(Translation, DropsFromOutsideAreCountedByCause) {
  const auto out = through(Packet{});
  ASSERT_TRUE(out);
  const Packet good = answer(*out);
  struct Case {
    const char* description;
    void (*change)(Packet&);
    __u64 gateway_counters::* counter;
  };
  const Case cases[] = {
      {"another host's answer", [](Packet& p) { p.source = "10.0.0.99"; }, &gateway_counters::dropped_no_session},
      {"another port's answer", [](Packet& p) { p.source_port++; }, &gateway_counters::dropped_no_session},
      {"another port of ours", [](Packet& p) { p.destination_port ^= 1; }, &gateway_counters::dropped_no_session},
      {"another protocol", [](Packet& p) { p.protocol = 6, p.tcp_flags = kSyn; },
       &gateway_counters::dropped_no_session},
      {"an echo request", [](Packet& p) { p.protocol = 1, p.icmp_type = 8; }, &gateway_counters::dropped_no_session},
      {"another MAC", [](Packet& p) { p.destination_mac = "06:00:00:00:00:99"; }, &gateway_counters::dropped_other_mac},
      {"another address", [](Packet& p) { p.destination = "10.0.0.5"; }, &gateway_counters::dropped_other_address},
      {"fragment", [](Packet& p) { p.fragment = 0x2000; }, &gateway_counters::dropped_fragment},
      {"TTL 1", [](Packet& p) { p.ttl = 1; }, &gateway_counters::dropped_ttl},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.description);
    Packet bad = good;
    each.change(bad);
    const auto before = counters().*each.counter;
    outside(bad);
    EXPECT_FALSE(seen_inside());
    EXPECT_EQ(counters().*each.counter, before + 1);
  }
  outside(good);
  EXPECT_TRUE(seen_inside());
}

TEST_F(Translation, CutFramesAreDropped) {
  const std::string whole = build(with([](Packet& p) { p.protocol = 6, p.tcp_flags = kSyn; }));
  // The kernel itself refuses a tagged frame with less than two bytes behind the tag's protocol.
  for (size_t size = 20; size < 18 + 40; ++size) {
    std::string cut = whole.substr(0, size);
    ASSERT_EQ(send(containers_.get(), cut.data(), cut.size(), 0), static_cast<ssize_t>(cut.size()));
  }
  EXPECT_FALSE(seen_outside());
  EXPECT_EQ(counters().dropped_malformed, 38u);
}

TEST_F(Translation, MssIsClampedToTheAttachmentsMtu) {
  attach(kTag, 1400);
  struct Case {
    const char* description;
    std::string options;
    std::string expected;
  };
  const Case cases[] = {
      {"too large", {"\x02\x04\x05\xb4", 4}, {"\x02\x04\x05\x50", 4}},
      {"small enough", {"\x02\x04\x05\x00", 4}, {"\x02\x04\x05\x00", 4}},
      {"at an odd place", {"\x01\x02\x04\x05\xb4\x01\x01\x00", 8}, {"\x01\x02\x04\x05\x50\x01\x01\x00", 8}},
      {"behind others",
       {"\x04\x02\x08\x0a\0\0\0\0\0\0\0\0\x02\x04\x05\xb4", 16},
       {"\x04\x02\x08\x0a\0\0\0\0\0\0\0\0\x02\x04\x05\x50", 16}},
      {"option of no length", {"\x05\x00\x02\x04", 4}, {"\x05\x00\x02\x04", 4}},
  };
  uint16_t port = 6000;
  for (const auto& each : cases) {
    SCOPED_TRACE(each.description);
    Packet syn;
    syn.protocol = 6;
    syn.tcp_flags = kSyn;
    syn.source_port = port++;
    syn.tcp_options = each.options;
    const auto out = through(syn);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->tcp_options, each.expected);
    EXPECT_TRUE(out->sum_good);
    // The answer's too.
    Packet reply = answer(*out);
    reply.tcp_flags = kSyn | kAck;
    reply.tcp_options = each.options;
    outside(reply);
    const auto back = seen_inside();
    ASSERT_TRUE(back);
    EXPECT_EQ(back->tcp_options, each.expected);
    EXPECT_TRUE(back->sum_good);
  }
}

TEST_F(Translation, IcmpErrorsCarryThePacketAsItsSenderKnowsIt) {
  const RoundTrip cases[] = {
      {"UDP", with([](Packet&) {})},
      {"UDP without checksum", with([](Packet& p) { p.no_checksum = true, p.source_port = 5001; })},
      {"TCP", with([](Packet& p) { p.protocol = 6, p.tcp_flags = kSyn; })},
      {"echo", with([](Packet& p) { p.protocol = 1; })},
      {"UDP with IP options", with([](Packet& p) { p.option_words = 2, p.source_port = 5002; })},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.description);
    inside(each.packet);
    const std::string frame = raw_outside();
    const auto out = parse(frame, kTag);
    ASSERT_TRUE(out);
    outside(error_from_outside(frame.substr(14)));
    const auto told = seen_inside();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->icmp_type, 3);
    EXPECT_EQ(told->source, "10.0.0.1");
    EXPECT_EQ(told->destination, each.packet.source);
    EXPECT_TRUE(told->ip_sum_good);
    EXPECT_TRUE(told->sum_good);
    const auto quoted = parse_ip(told->payload);
    ASSERT_TRUE(quoted);
    EXPECT_EQ(quoted->source, each.packet.source);
    EXPECT_EQ(quoted->source_port, each.packet.source_port);
    EXPECT_EQ(quoted->destination, each.packet.destination);
    EXPECT_TRUE(quoted->ip_sum_good);
    if (each.packet.protocol != 6 && !each.packet.no_checksum) EXPECT_TRUE(quoted->sum_good);
  }
  // About nothing of ours.
  const std::string foreign = build_ip(with([](Packet& p) { p.source = "10.0.0.4", p.source_port = 1; }));
  outside(error_from_outside(foreign, 0));
  EXPECT_FALSE(seen_inside());
}

std::string arp_frame(uint16_t operation, const std::string& sender, const std::string& target, char tag = 7) {
  std::string frame(
      "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x0b\x81\x00\x00\x07\x08\x06\x00\x01\x08\x00\x06\x04\x00", 25);
  frame[15] = tag;
  frame.push_back(static_cast<char>(operation));
  frame += std::string("\x02\x00\x00\x00\x00\x0b", 6);
  for (const auto& text : {sender, target}) {
    in_addr address{};
    inet_pton(AF_INET, text.c_str(), &address);
    frame += std::string(reinterpret_cast<const char*>(&address), 4);
    if (text == sender && frame.size() == 36) frame += std::string(6, '\0');
  }
  return frame;
}

TEST_F(Translation, ArpForOurAddressIsAnsweredAndTeaches) {
  outside_raw(arp_frame(1, "10.0.0.11", "10.0.0.4"));
  const std::string reply = raw_outside();
  ASSERT_EQ(reply.size(), 42u);
  EXPECT_EQ(reply.substr(0, 6), std::string("\x02\x00\x00\x00\x00\x0b", 6));
  EXPECT_EQ(reply.substr(20, 2), std::string("\x00\x02", 2));
  EXPECT_EQ(reply.substr(22, 6), std::string("\x06\x00\x00\x00\x00\x07", 6));
  EXPECT_EQ(reply.substr(28, 4), std::string("\x0a\x00\x00\x04", 4));
  const auto out = through(with([](Packet& p) { p.destination = "10.0.0.11"; }));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->destination_mac, "02:00:00:00:00:0b");
}

TEST_F(Translation, ArpOfOthersTeachesNothingAndOurAddressElsewhereIsCounted) {
  outside_raw(arp_frame(1, "10.0.0.12", "10.0.0.13"));
  outside_raw(arp_frame(2, "10.0.0.12", "10.0.0.4"));
  outside_raw(arp_frame(1, "10.0.0.4", "10.0.0.4"));
  EXPECT_EQ(raw_outside(), "");
  EXPECT_EQ(counters().dropped_address_conflict, 1u);
  EXPECT_FALSE(through(with([](Packet& p) { p.destination = "10.0.0.12"; })));
  EXPECT_EQ(counters().neighbour_misses, 1u);
}

TEST_F(Translation, AFloodToASilentHostIsHeldBack) {
  for (int i = 0; i < 3 * kMaxHeldEach; ++i) inside(with([](Packet& p) { p.destination = "10.0.0.50"; }));
  EXPECT_EQ(counters().dropped_neighbour_busy, uint64_t{2 * kMaxHeldEach});
  // The pending entry counts, but an answer to it is learned.
  outside_raw(arp_frame(2, "10.0.0.50", "10.0.0.4"));
  EXPECT_TRUE(through(with([](Packet& p) { p.destination = "10.0.0.50"; })));
}

TEST_F(Translation, ScanningASubnetUsesUpOneAttachmentsBudgetOnly) {
  attach(kTag, 1500, 0xffff0000);
  attach(8);
  // Three times, so that it is too much however a tick's end divides it.
  for (int i = 0; i < 3 * kMissesEachTick; ++i) {
    Packet probe;
    probe.destination = "10.0." + std::to_string(1 + i / 250) + "." + std::to_string(i % 250);
    inside(probe);
  }
  inside(with([](Packet& p) { p.tag = 8, p.destination = "10.0.0.77", p.source_mac = "02:64:00:00:00:02"; }));
  EXPECT_GT(counters().dropped_over_budget, 0u);
  EXPECT_EQ(counters(8).neighbour_misses, 1u);
  EXPECT_EQ(counters(8).dropped_over_budget, 0u);
  EXPECT_EQ(counters(8).dropped_ring_full, 0u);
}

TEST_F(Translation, AVpcFullOfSpeakersUsesUpItsOwnTableOnly) {
  attach(kTag, 1500, 0xff000000);
  attach(8);
  for (int i = 0; i < 66'000; ++i) {
    const std::string sender =
        "10." + std::to_string(1 + i / 62'500) + "." + std::to_string(i / 250 % 250) + "." + std::to_string(i % 250);
    outside_raw(arp_frame(1, sender, "10.0.0.4"));
  }
  drain();
  outside_raw(arp_frame(1, "10.0.0.11", "10.0.0.4", 8));
  drain();
  const auto out = through(with([](Packet& p) { p.tag = 8, p.destination = "10.0.0.11"; }));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->destination_mac, "02:00:00:00:00:0b");
}

TEST_F(Translation, ANeighbourThatNothingIsSentToIsForgotten) {
  const auto put = [this](const char* address, uint32_t state, uint32_t age) {
    neighbour entry{};
    entry.state = state;
    entry.updated = state == kNeighbourPending ? 0 : now_tick() - age;
    const neighbour_key key{.tag = kTag, .address = htonl(*kernel::parse_address(address))};
    EXPECT_TRUE(pat_->set_neighbour(key, entry, 0));
    return key;
  };
  const auto old = put("10.0.0.21", kNeighbourValid, kNeighbourUnusedTicks + 2);
  const auto silent = put("10.0.0.22", kNeighbourStale, kNeighbourUnusedTicks + 2);
  const auto fresh = put("10.0.0.23", kNeighbourValid, 1);
  const auto asked = put("10.0.0.24", kNeighbourPending, 0);
  ASSERT_TRUE(pat_->collect(kTag));
  EXPECT_FALSE(pat_->get_neighbour(old));
  EXPECT_FALSE(pat_->get_neighbour(silent));
  EXPECT_TRUE(pat_->get_neighbour(fresh));
  EXPECT_TRUE(pat_->get_neighbour(asked));
}

}  // namespace
}  // namespace hearth::gateway::test
