// Rows 13 to 15: TCP.
#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

Packet to_us(Packet packet) {
  packet.destination = kExternal;
  return packet;
}

TEST_P(Checklist, Row13_AllValidSequencesOfTcp) {
  const uint16_t port = connect(a(), 5000, host(), 80);
  const Packet request = a().data(5000, host(), 80, "request", 1001, 5001);
  const Packet reply = to_us(host().data(80, a(), port, "reply", 5001, 1008));
  const auto sent = out(request), again = out(request), got = in(reply);
  holds("handshake, data, the same data again",
        sent && again && got && sent->payload == "request" && got->payload == "reply" && sent->sum_good);
  holds("a keep-alive", out(a().tcp(5000, host(), 80, kAck, 1007, 5006)).has_value());
  // Both open at once.
  const auto syn = out(a().tcp(5001, host(), 81, kSyn, 1000));
  ASSERT_TRUE(syn);
  const auto their_syn = in(to_us(host().tcp(81, a(), syn->source_port, kSyn, 9000)));
  const auto ours = out(a().tcp(5001, host(), 81, kSyn | kAck, 1000, 9001));
  const auto theirs = in(to_us(host().tcp(81, a(), syn->source_port, kSyn | kAck, 9000, 1001)));
  const auto data = out(a().tcp(5001, host(), 81, kAck, 1001, 9001));
  holds("simultaneous open", their_syn && ours && theirs && data);
}

TEST_P(Checklist, Row14_AnUnsolicitedSynIsDroppedSilently) {
  const auto mapped = out(a().tcp(5000, host(), 80, kSyn));
  ASSERT_TRUE(mapped);
  const auto reaches = [&](const Peer& from, uint16_t port) {
    return in(from, to_us(from.tcp(4000, a(), port, kSyn)), a()).has_value();
  };
  holds("one for a port of somebody's", !reaches(other(), mapped->source_port));
  holds("one for a port of nobody's", !reaches(other(), mapped->source_port ^ 1));
  std::vector<std::string> answers;
  // What the gateway answered by itself came before this.
  answers = frames_out(a(), other(), {});
  holds("neither is answered", answers.empty());
}

TEST_P(Checklist, Row15_HalfCloseAndReopenAfterBothFins) {
  const uint16_t port = connect(a(), 5000, host(), 80);
  ASSERT_TRUE(out(a().tcp(5000, host(), 80, kFin | kAck, 1001, 5001)));
  ASSERT_TRUE(in(to_us(host().tcp(80, a(), port, kAck, 5001, 1002))));
  const bool can_be_aged = subject().age(vpc(), 1000);
  const Packet rest = to_us(host().data(80, a(), port, "the rest", 5001, 1002));
  const auto got = in(rest);
  holds("the other side goes on behind one FIN", got && got->payload == "the rest");
  if (can_be_aged) holds("for longer than a closing connection lives", got.has_value());
  ASSERT_TRUE(out(a().tcp(5000, host(), 80, kAck, 1002, 5009)));
  ASSERT_TRUE(in(to_us(host().tcp(80, a(), port, kFin | kAck, 5009, 1002))));
  ASSERT_TRUE(out(a().tcp(5000, host(), 80, kAck, 1002, 5010)));
  const auto again = out(a().tcp(5000, host(), 80, kSyn, 100'000));
  ASSERT_TRUE(again);
  Packet both = answer(*again);
  both.payload = "";
  both.tcp_flags = kSyn | kAck;
  both.seq = 200'000;
  holds("the same ports open again", in(both).has_value());
}

}  // namespace
}  // namespace hearth::gateway::test
