// Rows 12, 21 and 27 to 32: limits, and who must not feel whom.
#include <netinet/in.h>

#include <map>
#include <set>

#include "gateway/bpf/shared.h"
#include "tests/gateway/checklist/hearth_subject.h"
#include "tests/gateway/checklist/row.h"

namespace hearth::gateway::test {
namespace {

constexpr uint8_t kUnreachable = 3, kProhibited = 13;
constexpr uint16_t kFirstPort = 1000;

class Limited {
 public:
  // `count` SYNs from ports of `from` to kNarrowPort of `to`, as frames.
  static std::vector<std::string> syns(const Peer& from, const Peer& to, int count, int first = kFirstPort) {
    std::vector<std::string> frames;
    for (int i = 0; i < count; ++i)
      frames.push_back(build_untagged(from.addressed(syn(from, to, static_cast<uint16_t>(first + i)))));
    return frames;
  }
  static Packet syn(const Peer& from, const Peer& to, uint16_t port, uint32_t seq = 1000) {
    return from.tcp(port, to, kNarrowPort, kSyn, seq);
  }
};

TEST_P(Checklist, Row12_AFreedPortWaitsForItsDestination) {
  const int ports = subject().narrow_ports();
  ASSERT_EQ(frames_out(a(), host(), Limited::syns(a(), host(), ports)).size(), static_cast<size_t>(ports));
  const auto reset = out(a().tcp(kFirstPort, host(), kNarrowPort, kReset, 5000));
  ASSERT_TRUE(reset);
  const uint16_t fresh = 60'000;
  holds("another flow to that destination does not get it", !out(Limited::syn(a(), host(), fresh, 4000)));
  holds("one to another destination does", out(a(), Limited::syn(a(), other(), fresh + 1), other()).has_value());
  holds("for two minutes", subject().limits().tcp_reset >= 120);
}

TEST_P(Checklist, Row21_OutOfPortsIsToldAndCounted) {
  const int ports = subject().narrow_ports();
  ASSERT_EQ(frames_out(a(), host(), Limited::syns(a(), host(), ports)).size(), static_cast<size_t>(ports));
  const auto before = subject().counter(vpc(), "dropped_ports_exhausted");
  holds("one more flow is refused", !out(Limited::syn(a(), host(), 60'000)));
  const auto after = subject().counter(vpc(), "dropped_ports_exhausted");
  holds("a counter says so", before && after && *after == *before + 1);
  // Whatever was told came no later than what the agent answers to this.
  Packet last = a().udp(5000, host(), 53);
  last.ttl = 1;
  a().send(last);
  std::optional<Packet> told;
  await(a(), [&](const Packet& got) {
    if (got.protocol == IPPROTO_ICMP && got.icmp_type == kUnreachable) told = got;
    return got.protocol == IPPROTO_ICMP && got.icmp_type == 11;
  });
  const auto quoted = told ? parse_ip(told->payload) : std::nullopt;
  holds("the container is told: administratively prohibited",
        quoted && told->icmp_code == kProhibited && quoted->source_port == 60'000);
}

TEST_P(Checklist, Row27_PortsAndStatesOfOneContainerAreBounded) {
  constexpr size_t kDue = 500;
  const int ports = subject().narrow_ports();
  ASSERT_EQ(frames_out(a(), host(), Limited::syns(a(), host(), ports)).size(), static_cast<size_t>(ports));
  EXPECT_FALSE(out(Limited::syn(a(), host(), 60'000)));
  holds("one that has all it may have leaves others their due of ports",
        frames_out(b(), host(), Limited::syns(b(), host(), kDue)).size() == kDue);
  if (GetParam() == Kind::oracle) return;  // how many states it has is the machine's to say
  std::vector<std::string> scan;
  for (uint32_t i = 0; i < 45'000; ++i) {
    Packet probe = a().udp(5000, host(), 53);
    probe.destination = "11.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    scan.push_back(build_untagged(a().addressed(probe)));
  }
  frames_out(a(), host(), scan);
  EXPECT_GT(subject().counter(vpc(), "dropped_session_quota"), 0);
  holds("and of states", frames_out(b(), host(), Limited::syns(b(), host(), kDue, 10'000)).size() == kDue);
}

constexpr const char* kNoLog =
    "masquerade writes no log of ports; conntrack's events are one a flow, with its destination";

TEST_P(Checklist, Row28_TheLogHasBlocksAndNeverFlows) {
  if (GetParam() == Kind::oracle) GTEST_SKIP() << kNoLog;
  auto& hearth = dynamic_cast<HearthSubject&>(subject());
  constexpr uint16_t kFlows = 100;
  std::set<uint16_t> ports;
  for (uint16_t port = 0; port < kFlows; ++port) {
    for (const Peer* to : {&host(), &other()}) {
      const auto seen = out(a(), a().udp(static_cast<uint16_t>(20'000 + port), *to, 53), *to);
      ASSERT_TRUE(seen);
      ports.insert(seen->source_port);
    }
  }
  size_t logged = 0, entries = 0;
  for (const auto& change : hearth.log_of_blocks(vpc())) {
    if (change.what != "given" || change.container != a().address()) continue;
    ++entries;
    logged += change.count;
    std::erase_if(ports,
                  [&](uint16_t port) { return port >= change.first_port && port < change.first_port + change.count; });
  }
  holds("every port stands in it, by its block", ports.empty());
  holds("it has one line a block, however many flows", entries > 0 && logged == entries * kBlockPorts && entries <= 3);
}

TEST_P(Checklist, Row29_WhoHadAPortIsAnswerableFromTheLog) {
  if (GetParam() == Kind::oracle) GTEST_SKIP() << kNoLog;
  auto& hearth = dynamic_cast<HearthSubject&>(subject());
  std::map<uint16_t, std::string> senders;  // by port outside
  for (const Peer* from : {&a(), &b()}) {
    const auto seen = out(*from, from->udp(5000, host(), 53), host());
    ASSERT_TRUE(seen);
    senders[seen->source_port] = from->address();
  }
  std::map<uint16_t, std::string> found;
  for (const auto& change : hearth.log_of_blocks(vpc())) {
    if (change.what != "given" || change.vpc != "vpc-" + vpc().name || change.external != kExternal) continue;
    for (const auto& [port, sender] : senders)
      if (port >= change.first_port && port < change.first_port + change.count) found[port] = change.container;
  }
  holds("VPC, address and port lead to the container", found == senders);
}

TEST_P(Checklist, Row30_AGoneContainersSessionsAreDead) {
  const auto seen = out(b(), b().udp(5000, host(), 53), host());
  ASSERT_TRUE(seen);
  ASSERT_TRUE(in(host(), answer(*seen), b()));
  const auto before = subject().counter(vpc(), "dropped_released");
  subject().remove_container(b());
  Peer& next = make_container(vpc());
  holds("an answer to it reaches nobody",
        frames_in(host(), next, {build_untagged(host().addressed(answer(*seen)))}).empty());
  if (before) EXPECT_EQ(subject().counter(vpc(), "dropped_released"), *before + 1);
}

TEST_P(Checklist, Row31_AnExhaustedTenantTouchesNoOther) {
  Vpc& blue = subject().make_vpc("blue");
  Peer& c = make_container(blue);
  const int ports = subject().narrow_ports();
  ASSERT_EQ(frames_out(a(), host(), Limited::syns(a(), host(), ports)).size(), static_cast<size_t>(ports));
  EXPECT_FALSE(out(Limited::syn(a(), host(), 60'000)));
  holds("every flow of the other's gets through",
        frames_out(c, *blue.host, Limited::syns(c, *blue.host, 60)).size() == 60);
}

TEST_P(Checklist, Row32_NothingLeavesButByItsVpc) {
  if (GetParam() == Kind::oracle) GTEST_SKIP() << "masquerade binds no container to a VPC: there is nothing to ask";
  auto& hearth = dynamic_cast<HearthSubject&>(subject());
  const auto unbound = [&] { return hearth.realm().counter("", "slot_dropped_unbound"); };
  Peer& c = hearth.make_unbound_container();
  const int64_t before = unbound();
  c.send(c.udp(5000, host(), 53));
  holds("nothing before it is bound", unbound() == before + 1 && frames_out(a(), host(), {}).empty());
  hearth.bind(c, vpc());
  holds("and then by the gateway", out(c, c.udp(5000, host(), 53), host()).has_value());
  for (const std::string& elsewhere : {a().address(), std::string("169.254.169.254"), std::string("127.0.0.1")}) {
    Packet packet = c.udp(5000, host(), 53);
    packet.destination = elsewhere;
    c.send(packet);
  }
  holds("never to another container or this machine",
        hearth.realm().counter(HearthSubject::attachment_of(vpc()), "slot_dropped_forbidden_destination") == 3 &&
            frames_in(host(), a(), {}).empty());
  hearth.unbind(c);
  c.send(c.udp(5000, host(), 53));
  holds("nothing once it is unbound", unbound() == before + 2 && frames_out(a(), host(), {}).empty());
}

}  // namespace
}  // namespace hearth::gateway::test
