// Rows 16 to 20 of the correctness checklist: echo, and ICMP errors both ways.
#include <functional>

#include "tests/gateway/wire.h"

namespace hearth::gateway::test {
namespace {

constexpr size_t kIpHeader = 20;

class IcmpRows : public Wire {
 protected:
  void SetUp() override {
    Wire::SetUp();
    load();
    attach();
  }
  static Packet udp(uint16_t port = 5000) {
    Packet packet;
    packet.source_port = port;
    return packet;
  }
  // The container's "port unreachable" about a packet that it got.
  static Packet error_from_inside(const std::string& quoted, const std::string& to = "10.0.0.10") {
    Packet error = icmp_error(3, quoted);
    error.destination = to;
    return error;
  }
  // What a container got in answer to `sent`, as bytes of the IP packet.
  std::string answer_as_received(const Packet& sent, const std::function<void(Packet&)>& change = {}) {
    const auto out = through(sent);
    if (!out) return "";
    Packet reply = answer(*out);
    if (change) change(reply);
    outside(reply);
    const std::string frame = raw_inside();
    return frame.empty() ? frame : frame.substr(14);
  }
};

TEST_F(IcmpRows, R16TheIdentifierOfAnEchoIsMappedAndComesBack) {
  Packet echo;
  echo.protocol = 1;
  echo.source_port = 77;
  const auto out = through(echo);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->source, "10.0.0.4");
  EXPECT_GE(out->source_port, 1024);
  EXPECT_TRUE(out->sum_good);
  outside(answer(*out));
  const auto back = seen_inside();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->source_port, 77);
  EXPECT_TRUE(back->sum_good);
}

TEST_F(IcmpRows, R17AnErrorAboutNoMappingOfOursIsDroppedWithoutAWord) {
  Packet never;
  never.source = "10.0.0.4";
  outside(error_from_outside(build_ip(never)));
  EXPECT_FALSE(seen_inside());
  EXPECT_FALSE(seen_outside());
  EXPECT_EQ(counters().dropped_no_session, 1u);
}

TEST_F(IcmpRows, R17TheQuotedPacketIsAsTheContainerSentItWithItsWholeTcpHeader) {
  Packet syn;
  syn.protocol = 6;
  syn.tcp_flags = kSyn;
  inside(syn);
  outside(error_from_outside(raw_outside().substr(14)));
  const auto told = seen_inside();
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->sum_good);
  const auto quoted = parse_ip(told->payload);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->source, syn.source);
  EXPECT_EQ(quoted->source_port, syn.source_port);
  EXPECT_TRUE(quoted->ip_sum_good);
  EXPECT_TRUE(quoted->sum_good);
}

struct Case {
  const char* description;
  Packet packet;
};

TEST_F(IcmpRows, R18AnErrorOfTheContainersCarriesTheGatewaysAddressesInsideAndOutside) {
  Packet tcp;
  tcp.protocol = 6;
  tcp.tcp_flags = kSyn;
  Packet echo;
  echo.protocol = 1;
  Packet bare = udp(5001);
  bare.no_checksum = true;
  Packet with_options = udp(5002);
  with_options.option_words = 2;
  for (const Case& each : {Case{"UDP", udp()}, Case{"UDP without checksum", bare}, Case{"IP options", with_options},
                           Case{"TCP", tcp}, Case{"echo", echo}}) {
    SCOPED_TRACE(each.description);
    const auto out = through(each.packet);
    ASSERT_TRUE(out);
    outside(answer(*out));
    const std::string received = raw_inside();
    ASSERT_NE(received, "");
    inside(error_from_inside(received.substr(14)));
    const auto told = seen_outside();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->icmp_type, 3);
    EXPECT_EQ(told->icmp_code, 3);
    EXPECT_EQ(told->source, "10.0.0.4");
    EXPECT_EQ(told->destination, "10.0.0.10");
    EXPECT_EQ(told->source_mac, mac_);
    EXPECT_EQ(told->destination_mac, "02:00:00:00:00:0a");
    EXPECT_EQ(told->ttl, 63);
    EXPECT_TRUE(told->ip_sum_good);
    EXPECT_TRUE(told->sum_good);
    const auto quoted = parse_ip(told->payload);
    ASSERT_TRUE(quoted);
    EXPECT_EQ(quoted->source, "10.0.0.10");
    EXPECT_EQ(quoted->destination, "10.0.0.4");
    EXPECT_EQ(quoted->destination_port, out->source_port);
    EXPECT_TRUE(quoted->ip_sum_good);
    if (!each.packet.no_checksum) EXPECT_TRUE(quoted->sum_good);
  }
  EXPECT_EQ(counters().icmp_errors_out, 5u);
}

TEST_F(IcmpRows, R18AnErrorAboutAPacketThatTheContainerNeverGotStaysInside) {
  const std::string received = answer_as_received(udp());
  ASSERT_NE(received, "");
  struct Bad {
    const char* description;
    std::function<void(std::string&)> change;
    std::string to = "10.0.0.10";
  };
  const Bad cases[] = {
      {"another port", [](std::string& ip) { ip[kIpHeader + 3] ^= 1; }},
      {"another remote port", [](std::string& ip) { ip[kIpHeader + 1] ^= 1; }},
      {"to somebody else", [](std::string&) {}, "10.0.0.11"},
  };
  for (const Bad& each : cases) {
    SCOPED_TRACE(each.description);
    std::string changed = received;
    each.change(changed);
    const auto before = counters().dropped_no_session;
    inside(error_from_inside(changed, each.to));
    EXPECT_FALSE(seen_outside());
    EXPECT_EQ(counters().dropped_no_session, before + 1);
  }
  Packet other_container = error_from_inside(received);
  other_container.source = "100.64.1.1";
  other_container.source_mac = "02:64:00:00:00:02";
  inside(other_container);
  EXPECT_FALSE(seen_outside());
}

TEST_F(IcmpRows, R19OptionsOfTheQuotedPacketAreSkippedAndBadSumsDropped) {
  Packet sent = udp();
  sent.option_words = 10;
  inside(sent);
  const std::string quoted = raw_outside().substr(14);
  outside(error_from_outside(quoted));
  EXPECT_TRUE(seen_inside());

  std::string bad = quoted;
  bad[10] ^= 1;  // the quoted header's sum
  outside(error_from_outside(bad));
  EXPECT_FALSE(seen_inside());
  EXPECT_EQ(counters().dropped_bad_sum, 1u);

  std::string frame = build(error_from_outside(quoted));
  frame[18 + kIpHeader + 2] ^= 1;  // the error's own sum
  outside_raw(frame);
  EXPECT_FALSE(seen_inside());
  EXPECT_EQ(counters().dropped_bad_sum, 2u);

  const std::string received = answer_as_received(udp(5001));
  ASSERT_NE(received, "");
  bad = received;
  bad[10] ^= 1;
  inside(error_from_inside(bad));
  EXPECT_FALSE(seen_outside());
  EXPECT_EQ(counters().dropped_bad_sum, 3u);
  inside(error_from_inside(received));
  EXPECT_TRUE(seen_outside());
}

TEST_F(IcmpRows, R19ErrorsThatAreCutOrOversizedOrQuoteALaterFragmentAreDropped) {
  inside(udp());
  const std::string quoted = raw_outside().substr(14);
  for (const size_t size : {size_t{0}, size_t{8}, kIpHeader, kIpHeader + 7}) {
    SCOPED_TRACE(size);
    const auto before = counters().dropped_malformed;
    outside(error_from_outside(quoted.substr(0, size)));
    EXPECT_FALSE(seen_inside());
    EXPECT_EQ(counters().dropped_malformed, before + 1);
  }
  outside(error_from_outside(quoted + std::string(1100, 'x')));
  EXPECT_FALSE(seen_inside());
  Packet later = udp();
  later.source = "10.0.0.4";
  later.fragment = 100;
  outside(error_from_outside(build_ip(later)));
  EXPECT_FALSE(seen_inside());
  EXPECT_EQ(counters().dropped_fragment, 1u);
}

TEST_F(IcmpRows, R20AnErrorNeitherEndsNorRefreshesASession) {
  inside(udp());
  const std::string quoted = raw_outside().substr(14);
  age_sessions(100);
  const auto before = sessions().at(0).second;
  outside(error_from_outside(quoted));
  ASSERT_TRUE(seen_inside());
  auto after = sessions().at(0).second;
  EXPECT_EQ(after.used, before.used);
  EXPECT_EQ(after.state, before.state);

  const std::string received = answer_as_received(udp(5001));
  age_sessions(100);
  inside(error_from_inside(received));
  ASSERT_TRUE(seen_outside());
  for (const auto& [key, session] : sessions()) {
    EXPECT_LE(session.used, now_tick() - 90);
    EXPECT_TRUE(session.state & kAlive);
  }
  // It may not bring back what is over either.
  age_sessions(1000);
  inside(error_from_inside(received));
  EXPECT_FALSE(seen_outside());
}

}  // namespace
}  // namespace hearth::gateway::test
