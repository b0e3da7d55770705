// Rows 8 to 12: how long what was made stays. Nobody waits: limits are read, and the clock of a session is turned where
// it can be (Subject::age).
#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

constexpr uint32_t kMargin = 10;

uint32_t just_under(int64_t limit) { return static_cast<uint32_t>(limit) - kMargin; }
uint32_t just_over(int64_t limit) { return static_cast<uint32_t>(limit) + kMargin; }

TEST_P(Checklist, Row08_UdpMappingsLiveFiveMinutesAndOutboundRefreshes) {
  const Limits limits = subject().limits();
  holds("at least two minutes, also before an answer", limits.udp_new >= 120 && limits.udp >= 120);
  holds("five minutes unless set otherwise", limits.udp >= 300 && limits.udp_new >= 300);
  const auto seen = out(a().udp(5000, host(), 53));
  ASSERT_TRUE(seen);
  for (int i = 0; i < 3; ++i) {
    if (!subject().age(vpc(), just_under(limits.udp))) break;
    const auto again = out(a().udp(5000, host(), 53));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->source_port, seen->source_port);
  }
  holds("what is sent keeps it", in(answer(*seen)).has_value());
  if (subject().age(vpc(), just_over(limits.udp))) holds("without, it ends", !in(answer(*seen)));
}

TEST_P(Checklist, Row09_TcpLivesTwoHoursEstablishedAndFourMinutesElse) {
  const Limits limits = subject().limits();
  holds("established at least 2 h 4 min", limits.tcp_established >= 7440);
  holds("opening and closing at least 4 min", limits.tcp_transitory >= 240);
  const uint16_t port = connect(a(), 5000, host(), 80);
  const auto half = out(a().tcp(5001, host(), 80, kSyn));
  ASSERT_TRUE(half);
  Packet data = host().tcp(80, a(), port, kAck, 5001, 1001);
  data.destination = kExternal;
  Packet late = answer(*half);
  late.tcp_flags = kSyn | kAck;
  late.payload = "";
  if (!subject().age(vpc(), just_over(limits.tcp_transitory))) {
    holds("an established one goes on", in(data).has_value());
    return;
  }
  holds("a half-open one ends", !in(late));
  holds("an established one goes on", in(data).has_value());
  ASSERT_TRUE(subject().age(vpc(), just_over(limits.tcp_established)));
  holds("until it was silent for its time", !in(data));
}

TEST_P(Checklist, Row10_IcmpQueriesLiveAMinute) {
  const Limits limits = subject().limits();
  holds("at least a minute", limits.icmp >= 60);
  const auto seen = out(a().echo(77, host()));
  ASSERT_TRUE(seen);
  holds("the answer gets in", in(answer(*seen)).has_value());
  if (!subject().age(vpc(), just_under(limits.icmp))) return;
  holds("also just before the end", in(answer(*seen)).has_value());
  ASSERT_TRUE(subject().age(vpc(), just_over(limits.icmp)));
  holds("and not behind it", !in(answer(*seen)));
}

TEST_P(Checklist, Row11_ARstIsTranslatedAndEndsOnlyWhatIsSilent) {
  const Limits limits = subject().limits();
  holds("the state is kept for four minutes", limits.tcp_reset >= 240);
  const uint16_t port = connect(a(), 5000, host(), 80);
  const auto reset = out(a().tcp(5000, host(), 80, kReset, 1001, 0));
  holds("it reaches the other side", reset && reset->source_port == port && (reset->tcp_flags & kReset));
  Packet data = host().tcp(80, a(), port, kAck, 5001, 1001);
  data.destination = kExternal;
  if (!subject().age(vpc(), just_under(limits.tcp_reset))) return;
  holds("what follows it gets through", in(data).has_value());
  ASSERT_TRUE(subject().age(vpc(), just_over(limits.tcp_reset)));
  holds("and keeps the session", in(data).has_value());
  ASSERT_TRUE(out(a().tcp(5000, host(), 80, kReset, 1001, 0)));
  ASSERT_TRUE(subject().age(vpc(), just_over(limits.tcp_reset)));
  holds("silence ends it", !in(data));
}

}  // namespace
}  // namespace hearth::gateway::test
