// Rows 16 to 20 and 25: ICMP.
#include <netinet/in.h>

#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

constexpr uint8_t kUnreachable = 3, kTimeExceeded = 11, kPortCode = 3;

bool is_error(const Packet& packet, uint8_t type) {
  return packet.protocol == IPPROTO_ICMP && packet.icmp_type == type && packet.ip_sum_good && packet.sum_good;
}

TEST_P(Checklist, Row16_EchoWithItsIdMapped) {
  const auto first = out(a().echo(77, host()));
  const auto second = out(b(), b().echo(77, host()), host());
  ASSERT_TRUE(first && second);
  holds("two containers with one id have two outside", first->source_port != second->source_port);
  const auto to_a = in(answer(*first));
  const auto to_b = in(host(), answer(*second), b());
  holds("each gets its answer under its own id",
        to_a && to_b && to_a->source_port == 77 && to_b->source_port == 77 && to_a->sum_good && to_b->sum_good);
}

TEST_P(Checklist, Row17_AnInboundErrorQuotesWhatWasSent) {
  bool restored = true;
  for (const Packet& sent : {a().udp(5000, host(), 53), a().tcp(5001, host(), 80, kSyn), a().echo(77, host())}) {
    const auto seen = out(sent);
    ASSERT_TRUE(seen);
    const auto told = in(host().error(kUnreachable, kPortCode, *seen));
    const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
    restored &= told && is_error(*told, kUnreachable) && told->destination == a().address() && quoted &&
                quoted->source == a().address() && quoted->source_port == sent.source_port &&
                quoted->destination == host().address() && quoted->ip_sum_good;
  }
  holds("the packet inside has its sender's address and port, and good sums", restored);
  Packet stranger = host().udp(53, host(), 53);
  stranger.source = kExternal;
  stranger.source_port = 2222;
  holds("one about nothing is dropped", !in(host().error(kUnreachable, kPortCode, stranger)));
  holds("without a word", frames_out(a(), host(), {}).empty());
}

TEST_P(Checklist, Row18_AnOutboundErrorComesFromTheGatewaysAddress) {
  const auto seen = out(a().udp(5000, host(), 53));
  ASSERT_TRUE(seen);
  const auto got = in(answer(*seen));
  ASSERT_TRUE(got);
  const auto told = out(a().error(kUnreachable, kPortCode, *got));
  holds("it gets out", told.has_value());
  holds("from the gateway's address", told && told->source == kExternal && is_error(*told, kUnreachable));
  const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
  holds("about the packet as it was sent", quoted && quoted->source == host().address() &&
                                               quoted->destination == kExternal &&
                                               quoted->destination_port == seen->source_port && quoted->ip_sum_good);
}

TEST_P(Checklist, Row19_OptionsInsideAreSkippedAndBadSumsDropped) {
  Packet with_options = a().udp(5000, host(), 53);
  with_options.option_words = 2;
  const auto seen = out(with_options);
  ASSERT_TRUE(seen);
  const auto told = in(host().error(kUnreachable, kPortCode, *seen));
  const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
  holds("IP options of the packet inside are skipped",
        quoted && quoted->source_port == 5000 && quoted->source == a().address() && quoted->ip_sum_good);
  const auto with_broken = [&](size_t offset) {
    std::string frame = build_untagged(host().addressed(host().error(kUnreachable, kPortCode, *seen)));
    frame[offset] = static_cast<char>(frame[offset] ^ 0x55);
    return frames_in(host(), a(), {frame}).empty();
  };
  holds("a wrong sum of the IP header", with_broken(14 + 10));
  holds("a wrong sum of the ICMP message", with_broken(14 + 20 + 2));
}

TEST_P(Checklist, Row20_IcmpNeitherEndsNorRefreshes) {
  const auto seen = out(a().udp(5000, host(), 53));
  ASSERT_TRUE(seen);
  ASSERT_NE(connect(a(), 5001, host(), 80), 0);
  Packet about_tcp = a().tcp(5001, host(), 80, kAck, 1001, 5001);
  const auto sent = out(about_tcp);
  ASSERT_TRUE(sent);
  for (uint8_t code = 0; code < 4; ++code) {
    EXPECT_TRUE(in(host().error(kUnreachable, code, *seen)));
    EXPECT_TRUE(in(host().error(kUnreachable, code, *sent)));
  }
  Packet data = answer(*sent);
  data.tcp_flags = kAck | kPush;
  data.seq = 5001;
  holds("it ends nothing", in(answer(*seen)).has_value() && in(data).has_value());
  const auto limit = static_cast<uint32_t>(subject().limits().udp);
  if (!subject().age(vpc(), limit - 10)) return;
  EXPECT_TRUE(in(host().error(kUnreachable, kPortCode, *seen)));
  ASSERT_TRUE(subject().age(vpc(), 20));
  holds("it keeps nothing", !in(answer(*seen)));
}

TEST_P(Checklist, Row25_TtlFallsAndItsEndIsTold) {
  Packet packet = a().udp(5000, host(), 53);
  packet.ttl = 9;
  const auto seen = out(packet);
  ASSERT_TRUE(seen);
  Packet reply = answer(*seen);
  reply.ttl = 9;
  const auto back = in(reply);
  holds("one less each way", seen->ttl == 8 && back && back->ttl == 8);
  packet.ttl = 1;
  packet.source_port = 5001;
  a().send(packet);
  const auto told = await(a(), [](const Packet& got) { return is_error(got, kTimeExceeded); });
  const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
  holds("the container is told",
        quoted && quoted->source == a().address() && quoted->source_port == 5001 && quoted->ttl == 1);
  holds("the packet goes no further", frames_out(a(), host(), {}).empty());
}

}  // namespace
}  // namespace hearth::gateway::test
