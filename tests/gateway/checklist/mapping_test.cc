// Rows 1 to 7: which port outside stands for which inside, and whom it lets in.
#include <netinet/in.h>

#include <algorithm>

#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

constexpr int kMany = 200;

bool is_query(const std::string& frame) {
  const auto packet = parse(frame, 0);
  return packet && packet->protocol == IPPROTO_UDP && packet->destination_port == 53;
}

TEST_P(Checklist, Row01_EndpointIndependentMapping) {
  for (const uint8_t protocol : {IPPROTO_UDP, IPPROTO_TCP}) {
    const auto packet = [&](const Peer& from, const Peer& to, uint16_t port) {
      return protocol == IPPROTO_TCP ? from.tcp(5000, to, port, kSyn) : from.udp(5000, to, port);
    };
    const auto first = out(packet(a(), host(), 53));
    const auto port = out(packet(a(), host(), 99));
    const auto address = out(a(), packet(a(), other(), 53), other());
    ASSERT_TRUE(first && port && address);
    holds("one port towards all ports of a host", port->source_port == first->source_port);
    holds("one port towards all hosts", address->source_port == first->source_port);
    // The same port inside the second container, that may not have the same outside.
    const auto second = out(b(), packet(b(), host(), 53), host());
    const auto elsewhere = out(b(), packet(b(), other(), 54), other());
    ASSERT_TRUE(second && elsewhere);
    holds("one port towards all hosts while another container has the same port inside",
          second->source_port == elsewhere->source_port);
  }
}

TEST_P(Checklist, Row02_NoTwoFlowsShareATranslatedTuple) {
  std::set<std::pair<int, uint16_t>> seen;
  for (uint16_t port = 5000; port < 5000 + kMany; ++port) {
    for (const Peer* from : {&a(), &b()}) {
      const auto udp = out(*from, from->udp(port, host(), 53), host());
      const auto tcp = out(*from, from->tcp(port, host(), 53, kSyn), host());
      ASSERT_TRUE(udp && tcp);
      EXPECT_TRUE(seen.insert({IPPROTO_UDP, udp->source_port}).second);
      EXPECT_TRUE(seen.insert({IPPROTO_TCP, tcp->source_port}).second);
      const auto back = in(host(), answer(*udp), *from);
      ASSERT_TRUE(back);
      EXPECT_EQ(back->destination_port, port);
    }
  }
  holds("every flow has a tuple of its own, and its answers", seen.size() == size_t{4 * kMany});
}

TEST_P(Checklist, Row03_PortsStayInTheirRange) {
  bool low = true, high = true;
  for (uint16_t port = 0; port < 40; ++port) {
    for (const uint16_t base : {900, 40'000}) {
      const auto seen = out(a().udp(static_cast<uint16_t>(base + port), host(), 53));
      ASSERT_TRUE(seen);
      (base < 1024 ? low : high) &= (seen->source_port < 1024) == (base < 1024);
    }
  }
  holds("a port below 1024 stays below", low);
  holds("a port from 1024 on stays there", high);
}

TEST_P(Checklist, Row04_PortsAreHardToGuess) {
  int kept = 0, next = 0, last = 0;
  for (uint16_t port = 0; port < kMany; ++port) {
    const auto seen = out(a().tcp(static_cast<uint16_t>(30'000 + port), host(), 80, kSyn));
    ASSERT_TRUE(seen);
    kept += seen->source_port == 30'000 + port;
    next += seen->source_port == last + 1;
    last = seen->source_port;
  }
  holds("the port outside is not the one inside", kept < kMany / 10);
  holds("the next port does not follow from the last", next < kMany / 4);
}

TEST_P(Checklist, Row05_OneExternalAddress) {
  bool same = true;
  for (uint16_t port = 5000; port < 5032; ++port) {
    for (const Peer* to : {&host(), &other()}) {
      for (const Packet& packet : {a().udp(port, *to, 53), a().tcp(port, *to, 53, kSyn), a().echo(port, *to)}) {
        const auto seen = out(a(), packet, *to);
        same &= seen && seen->source == kExternal;
      }
    }
  }
  holds("every flow of a container comes from one address", same);
}

TEST_P(Checklist, Row06_FilteringIsAtLeastAddressDependentUnderLoadToo) {
  const auto seen = out(a().udp(5000, host(), 53));
  ASSERT_TRUE(seen);
  const auto probe = [&](const Peer& from, uint16_t port) {
    Packet packet = from.udp(port, a(), seen->source_port);
    packet.destination = kExternal;
    return in(from, packet, a()).has_value();
  };
  const bool others_ports = probe(host(), 99);
  for (const char* when : {"", ", under load"}) {
    holds(std::string("the one spoken to gets in") + when, probe(host(), 53));
    holds(std::string("a host not spoken to does not") + when, !probe(other(), 53));
    std::vector<std::string> load;
    for (uint16_t port = 0; port < 2000; ++port)
      load.push_back(build_untagged(b().addressed(b().udp(static_cast<uint16_t>(10'000 + port), host(), 53))));
    const auto seen_of_load = frames_out(b(), host(), load);
    EXPECT_EQ(std::ranges::count_if(seen_of_load, is_query), 2000);
  }
  holds("its other ports are treated the same with and without load", probe(host(), 99) == others_ports);
}

TEST_P(Checklist, Row07_OverlappingRangesWorkAndNoPayloadIsTouched) {
  Vpc& blue = subject().make_vpc("blue");
  Peer& c = make_container(blue);
  const auto red_seen = out(a().udp(5000, host(), 53));
  const auto blue_seen = out(c, c.udp(5000, *blue.host, 53), *blue.host);
  ASSERT_TRUE(red_seen && blue_seen);
  const auto red_back = in(answer(*red_seen));
  const auto blue_back = in(*blue.host, answer(*blue_seen), c);
  holds("two VPCs with the same addresses are two worlds",
        red_back && blue_back && red_back->destination == a().address() && blue_back->destination == c.address());
  ASSERT_NE(connect(a(), 5001, host(), 21), 0);
  const Packet ftp = a().data(5001, host(), 21, "PORT 100,64,1,0,19,137\r\n", 1001, 5001);
  const auto command = out(ftp);
  Packet sip = a().udp(5060, host(), 5060);
  sip.payload = "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 100.64.1.0:5060\r\n\r\n";
  const auto call = out(sip);
  holds("no application's addresses are rewritten",
        command && command->payload == ftp.payload && call && call->payload == sip.payload);
}

}  // namespace
}  // namespace hearth::gateway::test
