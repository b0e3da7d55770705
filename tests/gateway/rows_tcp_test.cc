// Rows 9, 11, 13, 14 and 15 of the correctness checklist: what TCP's flags do to a session.
#include "tests/gateway/wire.h"

namespace hearth::gateway::test {
namespace {

constexpr uint32_t kTransitory = 240, kEstablished = 7440;

class TcpRows : public Wire {
 protected:
  void SetUp() override {
    Wire::SetUp();
    load();
    attach();
  }
  static Packet tcp(uint8_t flags, uint32_t seq = 1000) {
    Packet packet;
    packet.protocol = 6;
    packet.tcp_flags = flags;
    packet.seq = seq;
    packet.payload = "";
    return packet;
  }
  bool leaves(uint8_t flags, uint32_t seq = 1000) { return through(tcp(flags, seq)).has_value(); }
  bool arrives(uint16_t port, uint8_t flags) {
    Packet packet = tcp(flags);
    packet.source = "10.0.0.10";
    packet.destination = "10.0.0.4";
    packet.destination_mac = mac_;
    packet.source_port = 53;
    packet.destination_port = port;
    outside(packet);
    const auto seen = seen_inside();
    return seen && seen->tcp_flags == flags && seen->destination_port == 5000 && seen->sum_good;
  }
  // The port outside, after both SYNs.
  uint16_t connect() {
    const auto syn = through(tcp(kSyn));
    if (!syn) return 0;
    EXPECT_TRUE(arrives(syn->source_port, kSyn | kAck));
    EXPECT_TRUE(leaves(kAck));
    return syn->source_port;
  }
  bool is_live_after(uint16_t port, uint32_t seconds) {
    age_sessions(seconds);
    return arrives(port, kAck);
  }
};

TEST_F(TcpRows, R09AnEstablishedSessionLivesTwoHoursAndFourMinutesAndAHalfOpenOneFourMinutes) {
  const uint16_t port = connect();
  EXPECT_TRUE(is_live_after(port, kEstablished - 5));
  EXPECT_FALSE(is_live_after(port, kEstablished + 5));
  Packet half = tcp(kSyn);
  half.source_port = 5001;
  const auto syn = through(half);
  ASSERT_TRUE(syn);
  age_sessions(kTransitory - 5);
  EXPECT_TRUE(through(half));
  age_sessions(kTransitory + 5);
  Packet late = answer(*syn);
  late.tcp_flags = kSyn | kAck;
  outside(late);
  EXPECT_FALSE(seen_inside());
}

TEST_F(TcpRows, R11AResetIsTranslatedBothWaysAndItsSessionLivesForFourMinutes) {
  const uint16_t port = connect();
  EXPECT_TRUE(arrives(port, kReset));
  EXPECT_TRUE(leaves(kReset));
  EXPECT_EQ(counters().sessions_made, 1u);
  age_sessions(kTransitory - 5);
  ASSERT_TRUE(pat_->collect(kTag));
  EXPECT_TRUE(arrives(port, kReset));
  age_sessions(kTransitory + 5);
  EXPECT_FALSE(arrives(port, kReset));
}

TEST_F(TcpRows, R11ASessionThatIsUsedAfterAResetIsEstablishedAgain) {
  const uint16_t port = connect();
  EXPECT_TRUE(arrives(port, kReset));
  EXPECT_TRUE(leaves(kAck));
  EXPECT_TRUE(is_live_after(port, kEstablished - 5));
  EXPECT_TRUE(leaves(kReset));
  EXPECT_TRUE(arrives(port, kAck));
  EXPECT_TRUE(is_live_after(port, kEstablished - 5));
  EXPECT_EQ(counters().sessions_made, 1u);
}

TEST_F(TcpRows, R13ASimultaneousOpenIsAConnection) {
  const auto syn = through(tcp(kSyn));
  ASSERT_TRUE(syn);
  EXPECT_TRUE(arrives(syn->source_port, kSyn));
  EXPECT_TRUE(leaves(kSyn | kAck));
  EXPECT_TRUE(arrives(syn->source_port, kSyn | kAck));
  EXPECT_TRUE(leaves(kAck));
  EXPECT_TRUE(is_live_after(syn->source_port, kEstablished - 5));
  EXPECT_EQ(counters().sessions_made, 1u);
}

TEST_F(TcpRows, R14AnUnsolicitedSynIsDroppedWithoutAWord) {
  const uint16_t port = connect();
  Packet syn = tcp(kSyn);
  syn.source = "10.0.0.10";
  syn.destination = "10.0.0.4";
  syn.destination_mac = mac_;
  syn.source_port = 54;
  syn.destination_port = port;
  outside(syn);
  EXPECT_FALSE(seen_inside());
  EXPECT_FALSE(seen_outside());
  EXPECT_EQ(counters().dropped_no_session, 1u);
}

TEST_F(TcpRows, R15AHalfClosedConnectionIsStillEstablished) {
  const uint16_t port = connect();
  EXPECT_TRUE(leaves(kFin | kAck));
  EXPECT_TRUE(is_live_after(port, kEstablished - 5));
  EXPECT_TRUE(arrives(port, kAck));
  EXPECT_TRUE(leaves(kAck));
  EXPECT_TRUE(arrives(port, kFin | kAck));
  EXPECT_TRUE(leaves(kAck));
  EXPECT_FALSE(is_live_after(port, kTransitory + 5));
}

TEST_F(TcpRows, R15ACloseThatTheOtherSideBeginsIsHalfAsWell) {
  const uint16_t port = connect();
  EXPECT_TRUE(arrives(port, kFin | kAck));
  EXPECT_TRUE(is_live_after(port, kEstablished - 5));
  EXPECT_TRUE(leaves(kAck));
}

TEST_F(TcpRows, R15AConnectionOpensAgainOnTheSamePortAfterBothFins) {
  const uint16_t port = connect();
  EXPECT_TRUE(leaves(kFin | kAck));
  EXPECT_TRUE(arrives(port, kFin | kAck));
  EXPECT_TRUE(leaves(kAck));
  EXPECT_EQ(connect(), port);
  EXPECT_TRUE(is_live_after(port, kEstablished - 5));
}

// Whoever takes the port of a closed connection must begin behind all of it (RFC 6191).
TEST_F(TcpRows, R15TheEndOfAConnectionIsBehindTheDataOfItsLastSegment) {
  ASSERT_NE(connect(), 0);
  Packet fin = tcp(kFin | kAck, 5000);
  fin.payload = std::string(100, 'x');
  ASSERT_TRUE(through(fin));
  EXPECT_EQ(sessions().at(0).second.final_seq, 5101u);
}

}  // namespace
}  // namespace hearth::gateway::test
