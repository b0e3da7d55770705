// Ports and sessions: how many there are, who gets them, and when they end.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "kernel/bpf.h"
#include "tests/gateway/wire.h"

namespace hearth::gateway::test {
namespace {

constexpr int kAllBlocks = kBlocks - kFirstBlock;
constexpr int kAllPortsOfOne = kMaxBlocksOfHost * kBlockPorts;

class Ports : public Wire {
 protected:
  static Packet syn(uint16_t port, const std::string& destination = "10.0.0.10", uint32_t seq = 1000) {
    Packet packet;
    packet.protocol = 6;
    packet.tcp_flags = kSyn;
    packet.source_port = port;
    packet.destination = destination;
    packet.seq = seq;
    packet.payload = "";
    return packet;
  }
  // Opens `count` flows of one container and returns the external ports seen, in order.
  std::vector<uint16_t> open_many(Packet packet, int count) {
    std::vector<uint16_t> seen;
    for (int i = 0; i < count; ++i) {
      packet.source_port = static_cast<uint16_t>(1 + i);
      const auto out = through(packet);
      if (out) seen.push_back(out->source_port);
    }
    return seen;
  }
  // A packet of the n-th of many containers.
  static Packet of_container(int n, Packet packet) {
    packet.source = "100.64.2." + std::to_string(n);
    packet.source_mac = "02:64:00:00:01:" + std::to_string(10 + n);
    return packet;
  }
  // Other containers take every block that is free.
  void take_all_blocks() {
    for (int n = 0; pat_->free_blocks(kTag) > 0; ++n) {
      const int left = static_cast<int>(pat_->free_blocks(kTag));
      const int open = kOpenBlocks - (kAllBlocks - left);
      ASSERT_LT(n, 40);
      open_many(of_container(n, syn(0)),
                std::min(left, std::clamp<int>(open, kDueBlocks, kMaxBlocksOfHost)) * kBlockPorts);
    }
  }
  // Two ticks ahead of now: one may pass before the next packet.
  void use_later(const session_key& key) {
    const Fd table = table_of("sessions");
    session entry{};
    ASSERT_TRUE(kernel::map_get(table.get(), key, entry));
    entry.used = now_tick() + 2;
    ASSERT_TRUE(kernel::map_put(table.get(), key, entry));
  }
  bool wait_ticks(uint32_t count) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds((uint64_t{count} + 1) << kTickShift);
    std::this_thread::sleep_until(end);
    return true;
  }
};

TEST_F(Ports, OneContainerMayUseItsWholeQuotaAndEveryPortIsItsOwn) {
  load();
  attach();
  const auto seen = open_many(syn(0), kAllPortsOfOne);
  EXPECT_EQ(seen.size(), static_cast<size_t>(kAllPortsOfOne));
  EXPECT_EQ(std::set<uint16_t>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_GE(*std::min_element(seen.begin(), seen.end()), 1024);
  // Not in order, and not predictable from the one before.
  int ascending = 0;
  for (size_t i = 1; i < 1000; ++i) ascending += seen[i] == seen[i - 1] + 1;
  EXPECT_LT(ascending, 100);
}

TEST_F(Ports, SixtyFourThousandConnectionsToOneDestination) {
  load();
  attach();
  std::set<uint16_t> all;
  for (int n = 0; n < kAllBlocks / kDueBlocks; ++n) {
    const auto seen = open_many(of_container(n, syn(0)), kDueBlocks * kBlockPorts);
    all.insert(seen.begin(), seen.end());
  }
  EXPECT_EQ(all.size(), 64'512u);
  EXPECT_EQ(counters().dropped_ports_exhausted, 0u);
}

TEST_F(Ports, GreedyContainersLeaveOthersTheirDueOfPorts) {
  load();
  attach();
  ASSERT_EQ(open_many(of_container(1, syn(0)), kAllPortsOfOne).size(), size_t{kAllPortsOfOne});
  const int left = (kOpenBlocks - kMaxBlocksOfHost) * kBlockPorts;
  ASSERT_EQ(open_many(of_container(2, syn(0)), left).size(), static_cast<size_t>(left));
  EXPECT_FALSE(through(of_container(2, syn(40'000))));
  const auto due = open_many(syn(0), kDueBlocks * kBlockPorts);
  EXPECT_EQ(due.size(), size_t{kDueBlocks * kBlockPorts});
  EXPECT_FALSE(through(syn(40'000)));
  // What a greedy one gave back is open again.
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400201), 0x111));
  ASSERT_TRUE(pat_->collect(kTag));
  EXPECT_TRUE(through(syn(40'000)));
}

TEST_F(Ports, GreedyContainersLeaveOthersTheirDueOfSessions) {
  load();
  attach();
  const auto scan = [this](Packet packet, int count) {
    for (int i = 0; i < count; ++i) {
      packet.destination =
          "11." + std::to_string(i / 62'500) + "." + std::to_string(i / 250 % 250) + "." + std::to_string(i % 250);
      inside(packet);
    }
    drain();
  };
  scan(of_container(1, Packet{}), kOpenSessions + 10);
  EXPECT_EQ(counters().sessions_made, uint64_t{kOpenSessions});
  EXPECT_EQ(counters().dropped_session_quota, 10u);
  Packet known = of_container(1, Packet{});
  known.destination = "11.0.0.0";
  EXPECT_TRUE(through(known));
  scan(Packet{}, kDueSessions + 10);
  EXPECT_EQ(counters().sessions_made, uint64_t{kOpenSessions + kDueSessions});
  EXPECT_EQ(counters().dropped_session_quota, 20u);
  EXPECT_EQ(counters().dropped_sessions_full, 0u);
  // What was collected counts no longer.
  pat_.reset();
  timeouts limits = default_timeouts();
  limits.udp = 0;
  load(limits);
  wait_ticks(1);
  for (int pass = 0; pass < 2; ++pass) ASSERT_TRUE(pat_->collect(kTag));
  scan(of_container(1, Packet{}), kOpenSessions);
  EXPECT_EQ(counters().sessions_made, uint64_t{2 * kOpenSessions + kDueSessions});
  EXPECT_EQ(counters().dropped_session_quota, 20u);
}

TEST_F(Ports, ASessionInPlaceOfAnotherIsCountedOnce) {
  load();
  attach();
  const auto sessions_of = [this](uint32_t address) {
    host entry{};
    const Fd table = table_of("hosts");
    address = htonl(address);
    EXPECT_TRUE(kernel::map_get(table.get(), address, entry));
    return entry.sessions;
  };
  for (int i = 0; i < kAllPortsOfOne; ++i) {
    Packet packet = syn(static_cast<uint16_t>(1 + i));
    inside(packet);
    packet.tcp_flags = kReset;
    packet.seq = 5000;
    inside(packet);
  }
  drain();
  EXPECT_EQ(sessions_of(0x64400100), uint32_t{kAllPortsOfOne});
  EXPECT_TRUE(through(syn(40'000, "10.0.0.10", 6000)));
  EXPECT_EQ(counters().ports_reused_by_sequence, 1u);
  EXPECT_EQ(sessions_of(0x64400100), uint32_t{kAllPortsOfOne});
  EXPECT_TRUE(through(of_container(1, syn(5))));
  EXPECT_EQ(sessions_of(0x64400201), 1u);
}

TEST_F(Ports, ExhaustedPortsAreSharedTowardsOtherDestinationsAndRefusedToTheSame) {
  load();
  attach();
  know("10.0.0.11");
  ASSERT_EQ(open_many(syn(0), kAllPortsOfOne).size(), static_cast<size_t>(kAllPortsOfOne));
  EXPECT_FALSE(through(syn(40'000)));
  EXPECT_EQ(counters().dropped_ports_exhausted, 1u);
  const auto shared = through(syn(40'001, "10.0.0.11"));
  ASSERT_TRUE(shared);
  EXPECT_EQ(counters().ports_shared, 1u);
  outside(answer(*shared));
  const auto back = seen_inside();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->destination_port, 40'001);
  // Another container has ports of its own.
  Packet other = syn(5);
  other.source = "100.64.1.1";
  other.source_mac = "02:64:00:00:00:02";
  EXPECT_TRUE(through(other));
}

TEST_F(Ports, EveryPortOfABlockIsSharedBeforeAnotherDestinationIsRefused) {
  load();
  attach();
  know("10.0.0.11");
  ASSERT_EQ(open_many(syn(0), kBlockPorts).size(), size_t{kBlockPorts});
  take_all_blocks();
  std::set<uint16_t> shared;
  for (int i = 0; i < kBlockPorts; ++i) {
    const auto out = through(syn(static_cast<uint16_t>(20'000 + i), "10.0.0.11"));
    if (out) shared.insert(out->source_port);
  }
  EXPECT_EQ(shared.size(), size_t{kBlockPorts});
  EXPECT_FALSE(through(syn(30'000, "10.0.0.11")));
}

TEST_F(Ports, ASessionThatAnotherProcessorIsRewritingIsARaceAndNoExhaustion) {
  load();
  attach();
  know("10.0.0.11");
  ASSERT_TRUE(through(Packet{}));
  auto [key, busy] = sessions().at(0);
  key.remote = htonl(0x0a00000b);
  busy.state = kBusy;
  busy.generation = 99;
  const Fd table = table_of("sessions");
  ASSERT_TRUE(kernel::map_put(table.get(), key, busy));
  Packet other;
  other.destination = "10.0.0.11";
  EXPECT_FALSE(through(other));
  EXPECT_EQ(counters().dropped_race, 1u);
  EXPECT_EQ(counters().dropped_ports_exhausted, 0u);
}

TEST_F(Ports, ARemovalThatWasCutShortIsFinished) {
  load();
  attach();
  ASSERT_TRUE(through(Packet{}));
  {
    const Fd attachments(bpf_obj_get((pins_ + "/pat/attachments").c_str()));
    ASSERT_TRUE(kernel::map_put(attachments.get(), uint32_t{kTag}, attachment{}));
  }
  pat_.reset();
  load();
  EXPECT_TRUE(pat_->tags().empty());
  ASSERT_TRUE(pat_->remove(kTag));
  for (const char* name : {"sessions", "mappings", "hosts", "blocks", "free_blocks", "neighbours"}) {
    const Fd outer(bpf_obj_get((pins_ + "/pat/" + name).c_str()));
    const uint32_t tag = kTag;
    uint32_t id = 0;
    EXPECT_NE(bpf_map_lookup_elem(outer.get(), &tag, &id), 0) << name;
  }
}

TEST_F(Ports, AClosedConnectionsPortIsReusedWhenTheSequenceMovedOn) {
  load();
  attach();
  for (int i = 0; i < kAllPortsOfOne; ++i) {
    Packet packet = syn(static_cast<uint16_t>(1 + i));
    inside(packet);
    packet.tcp_flags = kReset;
    packet.seq = 5000;
    inside(packet);
  }
  drain();
  EXPECT_FALSE(through(syn(40'000, "10.0.0.10", 4000)));
  EXPECT_TRUE(through(syn(40'000, "10.0.0.10", 6000)));
  EXPECT_EQ(counters().ports_reused_by_sequence, 1u);
}

TEST_F(Ports, TheSameSocketOpensAgainAfterItClosed) {
  load();
  attach();
  const auto first = through(syn(5000));
  Packet reset = syn(5000);
  reset.tcp_flags = kReset;
  ASSERT_TRUE(through(reset));
  const auto again = through(syn(5000));
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->source_port, again->source_port);
  Packet reply = answer(*again);
  reply.tcp_flags = kSyn | kAck;
  outside(reply);
  EXPECT_TRUE(seen_inside());
  EXPECT_EQ(pat_->collect(kTag)->sessions, 1u);
}

TEST_F(Ports, SilentSessionsEndAndUsedOnesStay) {
  timeouts limits = default_timeouts();
  limits.udp = 2;
  load(limits);
  attach();
  const auto kept = through(Packet{});
  Packet silent;
  silent.source_port = 5001;
  const auto gone = through(silent);
  ASSERT_TRUE(kept && gone);
  // The one is used all the time while collectors run; the other is not.
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(uint64_t{6} << kTickShift);
  while (std::chrono::steady_clock::now() < end) {
    ASSERT_TRUE(pat_->collect(kTag));
    ASSERT_TRUE(through(Packet{}));
  }
  outside(answer(*kept));
  EXPECT_TRUE(seen_inside());
  outside(answer(*gone));
  EXPECT_FALSE(seen_inside());
  const auto left = pat_->collect(kTag);
  EXPECT_EQ(left->sessions, 1u);
  EXPECT_EQ(left->mappings, 1u);
}

TEST_F(Ports, AnExpiredSessionAnswersNobodyEvenBeforeTheCollectorComes) {
  timeouts limits = default_timeouts();
  limits.icmp = 0;
  load(limits);
  attach();
  Packet echo;
  echo.protocol = 1;
  const auto out = through(echo);
  ASSERT_TRUE(out);
  wait_ticks(1);
  outside(answer(*out));
  EXPECT_FALSE(seen_inside());
  // The container's next packet begins it anew, with the same identifier outside.
  const auto again = through(echo);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->source_port, out->source_port);
  outside(answer(*again));
  EXPECT_TRUE(seen_inside());
}

TEST_F(Ports, AnEstablishedConnectionOutlivesTheTransitoryTimeAndAHalfOpenOneDoesNot) {
  timeouts limits = default_timeouts();
  limits.tcp_transitory = 0;
  load(limits);
  attach();
  const auto half = through(syn(5000));
  const auto open = through(syn(5001));
  Packet reply = answer(*open);
  reply.tcp_flags = kSyn | kAck;
  outside(reply);
  ASSERT_TRUE(seen_inside());
  wait_ticks(1);
  reply.tcp_flags = kAck;
  outside(reply);
  EXPECT_TRUE(seen_inside());
  Packet late = answer(*half);
  late.tcp_flags = kSyn | kAck;
  outside(late);
  EXPECT_FALSE(seen_inside());
}

// As another processor leaves it, that began to handle its packet a tick later and is through already.
TEST_F(Ports, ASessionThatWasUsedInALaterTickGoesOn) {
  load();
  attach();
  const auto open = through(syn(5000));
  ASSERT_TRUE(open);
  Packet reply = answer(*open);
  reply.tcp_flags = kSyn | kAck;
  outside(reply);
  ASSERT_TRUE(seen_inside());
  const auto only_session = [this] { return sessions().at(0); };
  reply.tcp_flags = kAck;
  use_later(only_session().first);
  outside(reply);
  EXPECT_TRUE(seen_inside());
  Packet more = syn(5000);
  more.tcp_flags = kAck;
  use_later(only_session().first);
  EXPECT_TRUE(through(more));
  EXPECT_EQ(only_session().second.state, uint32_t{kAlive | kSynOut | kSynIn});
  EXPECT_EQ(counters().sessions_made, 1u);
}

TEST_F(Ports, ReleaseEndsSessionsAndTheNextContainerOfTheAddressIsAnother) {
  load();
  attach();
  const auto old = through(Packet{});
  ASSERT_TRUE(old);
  EXPECT_EQ(pat_->free_blocks(kTag), uint32_t{kBlocks - kFirstBlock - 1});
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400100), 1));
  EXPECT_EQ(pat_->free_blocks(kTag), uint32_t{kBlocks - kFirstBlock});
  outside(answer(*old));
  EXPECT_FALSE(seen_inside());
  EXPECT_EQ(counters().dropped_released, 1u);
  Packet fresh;
  fresh.source_mac = "02:64:00:00:00:02";
  const auto out = through(fresh);
  ASSERT_TRUE(out);
  EXPECT_NE(out->source_port / kBlockPorts, old->source_port / kBlockPorts);
  // Blocks are given first in, first out; the old container's packets are not the new one's.
  outside(answer(*out));
  const auto back = seen_inside();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->destination_mac, "02:64:00:00:00:02");
  // A release said again, late, does not touch the new container.
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400100), 1));
  outside(answer(*out));
  EXPECT_TRUE(seen_inside());
}

TEST_F(Ports, APortOfAGoneContainerIsKeptFromItsDestinationForTheHold) {
  load();
  attach();
  // Every block but one is given to others; so the next container gets the gone one's.
  const auto old = through(Packet{});
  ASSERT_TRUE(old);
  take_all_blocks();
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400100), 1));
  std::set<uint16_t> seen;
  for (int i = 0; i < kBlockPorts; ++i) {
    Packet fresh;
    fresh.source_mac = "02:64:00:00:00:04";
    fresh.source_port = static_cast<uint16_t>(7000 + i);
    if (const auto out = through(fresh)) seen.insert(out->source_port);
  }
  EXPECT_EQ(seen.size(), size_t{kBlockPorts - 1});
  EXPECT_FALSE(seen.contains(old->source_port));
}

TEST_F(Ports, EveryFreePortOfABlockIsTriedBeforeASynIsRefused) {
  constexpr int kKept = kBlockPorts - 3;
  load();
  attach();
  const auto kept = open_many(syn(0), kKept);
  ASSERT_EQ(kept.size(), size_t{kKept});
  take_all_blocks();
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400100), 1));
  Packet fresh = syn(0);
  fresh.source_mac = "02:64:00:00:00:04";
  std::set<uint16_t> all(kept.begin(), kept.end());
  const auto seen = open_many(fresh, kBlockPorts - kKept);
  EXPECT_EQ(seen.size(), size_t{kBlockPorts - kKept});
  all.insert(seen.begin(), seen.end());
  EXPECT_EQ(all.size(), size_t{kBlockPorts});
  fresh.source_port = 40'000;
  EXPECT_FALSE(through(fresh));
  EXPECT_EQ(counters().dropped_ports_exhausted, 1u);
  EXPECT_EQ(counters().ports_shared, 0u);
}

TEST_F(Ports, ABlockOfKeptPortsOnlyMakesTheContainerGrow) {
  load();
  attach();
  const auto kept = open_many(syn(0), kBlockPorts);
  Packet short_lived = syn(1);
  short_lived.source = "100.64.1.3";
  short_lived.source_mac = "02:64:00:00:00:05";
  ASSERT_TRUE(through(short_lived));
  take_all_blocks();
  // Given again in this order.
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400100), 1));
  ASSERT_TRUE(pat_->release(kTag, htonl(0x64400103), 5));
  Packet fresh = syn(0);
  fresh.source_mac = "02:64:00:00:00:04";
  const auto seen = open_many(fresh, kBlockPorts);
  EXPECT_EQ(seen.size(), size_t{kBlockPorts - 1});
  for (const uint16_t port : seen) EXPECT_EQ(std::ranges::count(kept, port), 0);
}

TEST_F(Ports, ANewAgentFindsEverySessionAgain) {
  load();
  attach();
  const auto out = through(Packet{});
  ASSERT_TRUE(out);
  pat_.reset();
  outside(answer(*out));
  EXPECT_TRUE(seen_inside());
  load();
  outside(answer(*out));
  EXPECT_TRUE(seen_inside());
  EXPECT_EQ(pat_->tags(), std::vector<uint32_t>{kTag});
  EXPECT_EQ(pat_->collect(kTag)->sessions, 1u);
}

TEST_F(Ports, ARemovedAttachmentTakesItsSessionsAlong) {
  load();
  attach();
  const auto out = through(Packet{});
  ASSERT_TRUE(out);
  ASSERT_TRUE(pat_->remove(kTag));
  outside(answer(*out));
  EXPECT_FALSE(seen_inside());
  EXPECT_FALSE(through(Packet{}));
  attach();
  outside(answer(*out));
  EXPECT_FALSE(seen_inside());
}

}  // namespace
}  // namespace hearth::gateway::test
