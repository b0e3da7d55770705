// Rows 22 to 24 and 26: packets that are not as simple as others.
#include <netinet/in.h>

#include <algorithm>

#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

constexpr uint8_t kUnreachable = 3, kPortCode = 3, kTooBigCode = 4;
constexpr uint16_t kOffsetMask = 0x1fff;

Packet to_us(Packet packet, uint16_t port) {
  packet.destination = kExternal;
  packet.destination_port = port;
  return packet;
}

// The packet whose parts these are, in whatever order; nothing when one is missing.
std::optional<Packet> whole(std::vector<std::string> frames) {
  const auto field = [](const std::string& frame) {
    return static_cast<uint16_t>(static_cast<uint8_t>(frame[20]) << 8 | static_cast<uint8_t>(frame[21]));
  };
  std::ranges::sort(frames, {}, [&](const std::string& frame) { return field(frame) & kOffsetMask; });
  std::string ip;
  for (const auto& frame : frames) {
    const size_t length = static_cast<uint8_t>(frame[16]) * size_t{256} + static_cast<uint8_t>(frame[17]);
    if (ip.empty()) ip = frame.substr(14, 20);
    if ((field(frame) & kOffsetMask) * size_t{8} != ip.size() - 20) return std::nullopt;
    ip += frame.substr(34, length - 20);
  }
  if (frames.empty() || (field(frames.back()) & kMoreFragments)) return std::nullopt;
  return parse_ip(ip);
}

TEST_P(Checklist, Row22_HairpinOfUdpTcpAndErrors) {
  for (const uint8_t protocol : {IPPROTO_UDP, IPPROTO_TCP}) {
    const auto packet = [&](const Peer& from, uint16_t port) {
      return protocol == IPPROTO_TCP ? from.tcp(port, host(), 80, kSyn) : from.udp(port, host(), 80);
    };
    const std::string name = protocol == IPPROTO_TCP ? "TCP" : "UDP";
    const auto of_a = out(packet(a(), 5000));
    const auto of_b = out(b(), packet(b(), 6000), host());
    ASSERT_TRUE(of_a && of_b);
    // Each has sent to the other's address outside, so that either may get in.
    const Packet to_b = to_us(packet(a(), 5000), of_b->source_port);
    const Packet to_a = to_us(packet(b(), 6000), of_a->source_port);
    a().send(to_b);
    b().send(to_a);
    a().send(to_b);
    frames_out(a(), host(), {});
    std::optional<Packet> got;
    for (const auto& frame : frames_in(host(), b(), {})) {
      const auto seen = parse(frame, 0);
      if (seen && seen->protocol == protocol && seen->tcp_flags == to_b.tcp_flags) got = seen;
    }
    holds(name + " reaches the other container", got && got->destination_port == 6000 && got->sum_good);
    holds(name + " comes from the address and port outside",
          got && got->source == kExternal && got->source_port == of_a->source_port);
    if (!got || protocol != IPPROTO_UDP) continue;
    b().send(b().error(kUnreachable, kPortCode, *got));
    frames_out(b(), host(), {});
    std::optional<Packet> told;
    for (const auto& frame : frames_in(host(), a(), {})) {
      const auto seen = parse(frame, 0);
      if (seen && seen->protocol == IPPROTO_ICMP) told = seen;
    }
    const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
    holds("an error about it quotes what was sent",
          quoted && told->sum_good && told->source == kExternal && quoted->source == a().address() &&
              quoted->source_port == 5000 && quoted->destination_port == of_b->source_port);
  }
}

TEST_P(Checklist, Row23_FragmentsInAnyOrderWithinBounds) {
  const auto small = out(a().udp(5000, host(), 53));
  ASSERT_TRUE(small);
  Packet large = a().udp(5000, host(), 53), reply = answer(*small);
  large.payload = std::string(3000, 'f');
  reply.payload = std::string(3000, 'g');
  for (const std::string order : {"in order", "out of order"}) {
    reply.id = ++large.id;
    auto there = build_fragments(a().addressed(large), 1400), back = build_fragments(host().addressed(reply), 1400);
    if (order == "out of order") {
      std::ranges::reverse(there);
      std::ranges::reverse(back);
    }
    const auto seen = whole(frames_out(a(), host(), there));
    holds("outbound, " + order, seen && seen->source == kExternal && seen->sum_good && seen->payload == large.payload);
    const auto got = whole(frames_in(host(), a(), back));
    holds("inbound, " + order, got && got->destination == a().address() && got->destination_port == 5000 &&
                                   got->sum_good && got->payload == reply.payload);
  }
  // Parts of what never becomes whole, more than anybody keeps.
  std::vector<std::string> parts;
  for (int i = 0; i < 20'000; ++i) {
    Packet part = a().udp(5001, host(), 53);
    part.id = static_cast<uint16_t>(i);
    part.payload = std::string(2000, 'p');
    parts.push_back(build_fragments(a().addressed(part), 1400)[1]);
  }
  frames_out(a(), host(), parts);
  Packet of_b = b().udp(5000, host(), 53);
  of_b.payload = large.payload;
  const auto seen = whole(frames_out(b(), host(), build_fragments(b().addressed(of_b), 1400)));
  holds("a flood of parts stops nobody else", seen && seen->payload == large.payload);
}

TEST_P(Checklist, Row24_TooBigIsToldOrCut) {
  const auto seen = out(a().udp(5000, host(), 53));
  ASSERT_TRUE(seen);
  Packet large = answer(*seen);
  large.payload = std::string(1500 - 28, 'l');
  large.fragment = kDontFragment;
  host().send(large);
  // Whatever was told came no later than what is answered to this.
  Packet last = a().udp(5001, host(), 53);
  last.ttl = 1;
  a().send(last);
  ASSERT_TRUE(await(a(), [](const Packet& got) { return got.protocol == IPPROTO_ICMP && got.icmp_type == 11; }));
  std::optional<Packet> told;
  for (const auto& frame : frames_out(a(), host(), {})) {
    const auto got = parse(frame, 0);
    if (got && got->protocol == IPPROTO_ICMP && got->icmp_type == kUnreachable && got->icmp_code == kTooBigCode)
      told = got;
  }
  const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
  holds("inbound with DF: the sender is told the MTU",
        told && told->icmp_second == 1450 && told->sum_good && quoted && quoted->source == host().address() &&
            quoted->destination == kExternal && quoted->destination_port == seen->source_port);
  large.fragment = 0;
  const auto parts = frames_in(host(), a(), {build_untagged(host().addressed(large))});
  const auto got = whole(parts);
  const bool fit = std::ranges::all_of(parts, [](const std::string& frame) { return frame.size() <= 14 + 1450; });
  holds("inbound without: cut in parts", fit && got && got->payload == large.payload && got->sum_good);
}

TEST_P(Checklist, Row26_UdpWithoutAChecksumKeepsNone) {
  Packet packet = a().udp(5000, host(), 53);
  packet.no_checksum = true;
  const auto seen = out(packet);
  ASSERT_TRUE(seen);
  Packet reply = answer(*seen);
  reply.no_checksum = true;
  const auto got = in(reply);
  holds("outbound", seen->no_checksum);
  holds("inbound", got && got->no_checksum);
}

}  // namespace
}  // namespace hearth::gateway::test
