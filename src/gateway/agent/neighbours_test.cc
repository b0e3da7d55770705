#include "gateway/agent/neighbours.h"

#include <gtest/gtest.h>

#include <map>

namespace hearth::gateway {
namespace {

using std::chrono::milliseconds;

neighbour entry(uint32_t state, uint8_t mac_end = 0) {
  neighbour made{};
  made.state = state;
  made.mac[0] = 2;
  made.mac[5] = mac_end;
  return made;
}

// A trunk with a table and a record of what was sent.
class NeighboursTest : public testing::Test {
 protected:
  Neighbours::World world() {
    return {
        .attachment_of = [](uint32_t) { return attachment{}; },
        .look_up = [this](const neighbour_key& key) -> std::optional<neighbour> {
          const auto found = table_.find(key.address);
          if (found == table_.end()) return std::nullopt;
          return found->second;
        },
        .set_pending = [this](const neighbour_key& key) { table_.try_emplace(key.address, entry(kNeighbourPending)); },
        .set_stale =
            [this](const neighbour_key& key, neighbour entry) {
              entry.state = kNeighbourStale;
              table_[key.address] = entry;
            },
        .forget = [this](const neighbour_key& key) { table_.erase(key.address); },
        .send = [this](uint32_t, const std::string& frame) { sent_.push_back(frame); }};
  }
  void answer(uint32_t address) {
    table_[address] = entry(kNeighbourValid, 9);
    neighbours_.learned(1, address);
  }
  static std::vector<uint8_t> packet(uint8_t mark) {
    std::vector<uint8_t> bytes(14 + 20 + 8);
    bytes[14] = 0x45;
    bytes[17] = 28;
    bytes[23] = 17;
    bytes[34] = mark;
    return bytes;
  }

  std::map<uint32_t, neighbour> table_;
  std::vector<std::string> sent_;
  Neighbours neighbours_{world()};
  Neighbours::Time now_{};
};

TEST_F(NeighboursTest, AsksOnceAndSendsWhatWaitedInOrder) {
  neighbours_.missed(1, 7, packet(1), now_);
  neighbours_.missed(1, 7, packet(2), now_);
  ASSERT_EQ(sent_.size(), 1u);  // the question
  answer(7);
  ASSERT_EQ(sent_.size(), 3u);
  EXPECT_EQ(sent_[1][18 + 20], 1);
  EXPECT_EQ(sent_[2][18 + 20], 2);
  EXPECT_EQ(sent_[1][5], 9);  // to the MAC that answered
  EXPECT_EQ(neighbours_.held(), 0u);
}

TEST_F(NeighboursTest, DropsWhatNobodyAnswersForWithinASecond) {
  neighbours_.missed(1, 7, packet(1), now_);
  neighbours_.expire(now_ + milliseconds(Neighbours::kResolveMs));
  EXPECT_EQ(neighbours_.counters().dropped_unresolved, 1u);
  EXPECT_TRUE(table_.empty());
  EXPECT_EQ(neighbours_.held(), 0u);
  EXPECT_FALSE(neighbours_.next_deadline());
}

TEST_F(NeighboursTest, AsksAgainBeforeItGivesUp) {
  neighbours_.missed(1, 7, packet(1), now_);
  neighbours_.expire(now_ + milliseconds(100));
  neighbours_.expire(now_ + milliseconds(150));
  EXPECT_EQ(sent_.size(), 2u);
}

TEST_F(NeighboursTest, HoldsNoMoreThanItsLimits) {
  for (size_t i = 0; i < Neighbours::kMaxHeldEach + 3; ++i) neighbours_.missed(1, 7, packet(1), now_);
  EXPECT_EQ(neighbours_.held(), Neighbours::kMaxHeldEach);
  EXPECT_EQ(neighbours_.counters().dropped_full, 3u);
  for (uint32_t tag = 1; tag <= 2 * Neighbours::kMaxHeld / Neighbours::kMaxHeldOfTag; ++tag) {
    for (uint32_t i = 0; i < 2 * Neighbours::kMaxHeldOfTag; ++i) neighbours_.missed(tag, 100 + i / 8, packet(1), now_);
  }
  EXPECT_EQ(neighbours_.held(), Neighbours::kMaxHeld);
  for (uint32_t tag = 100; tag < 100 + 2 * Neighbours::kMaxAsked; ++tag) neighbours_.missed(tag, 7, packet(1), now_);
  EXPECT_EQ(neighbours_.counters().requests, Neighbours::kMaxAsked);
  neighbours_.expire(now_ + milliseconds(Neighbours::kResolveMs));
  EXPECT_EQ(neighbours_.held(), 0u);
  EXPECT_FALSE(neighbours_.next_deadline());
}

TEST_F(NeighboursTest, OneAttachmentAsksAndHoldsOnlyItsShare) {
  for (uint32_t address = 100; address < 100 + 2 * Neighbours::kMaxAskedOfTag; ++address)
    neighbours_.missed(1, address, packet(1), now_);
  EXPECT_EQ(table_.size(), Neighbours::kMaxAskedOfTag);
  for (int again = 0; again < 3; ++again) {
    for (uint32_t address = 100; address < 100 + Neighbours::kMaxAskedOfTag; ++address)
      neighbours_.missed(1, address, packet(1), now_);
  }
  EXPECT_EQ(neighbours_.held(), Neighbours::kMaxHeldOfTag);
  neighbours_.missed(2, 7, packet(1), now_);
  EXPECT_EQ(neighbours_.held(), Neighbours::kMaxHeldOfTag + 1);
  EXPECT_TRUE(table_.contains(7));
  // What was answered makes room.
  answer(100);
  neighbours_.missed(1, 1000, packet(1), now_);
  EXPECT_TRUE(table_.contains(1000));
}

TEST_F(NeighboursTest, ProvesAtOnceWhatIsKnownAndLaterWhatAnswers) {
  std::vector<bool> proofs;
  const auto note = [&proofs](bool proven) { proofs.push_back(proven); };
  neighbours_.prove(1, 7, note, now_);
  EXPECT_TRUE(proofs.empty());
  answer(7);
  neighbours_.prove(1, 7, note, now_);
  neighbours_.prove(1, 8, note, now_);
  neighbours_.expire(now_ + milliseconds(Neighbours::kResolveMs));
  EXPECT_EQ(proofs, (std::vector<bool>{true, true, false}));
}

TEST_F(NeighboursTest, ProvesNothingByWhatWasHeardLongAgo) {
  std::vector<bool> proofs;
  const auto note = [&proofs](bool proven) { proofs.push_back(proven); };
  now_ += std::chrono::nanoseconds(uint64_t{kNeighbourFreshTicks + 1} << kTickShift);
  table_[7] = table_[8] = entry(kNeighbourValid, 9);
  neighbours_.prove(1, 7, note, now_);
  neighbours_.prove(1, 8, note, now_);
  EXPECT_TRUE(proofs.empty());
  EXPECT_EQ(sent_.size(), 2u);
  EXPECT_EQ(table_[7].state, uint32_t{kNeighbourStale});  // packets go on meanwhile
  answer(7);
  EXPECT_EQ(proofs, std::vector<bool>{true});
  neighbours_.expire(now_ + milliseconds(Neighbours::kResolveMs));
  EXPECT_EQ(proofs, (std::vector<bool>{true, false}));
}

TEST_F(NeighboursTest, ForgetsAStaleOneThatStaysSilent) {
  table_[7] = entry(kNeighbourStale);
  neighbours_.stale(1, 7, now_);
  EXPECT_EQ(sent_.size(), 1u);
  EXPECT_EQ(table_[7].state, uint32_t{kNeighbourStale});
  neighbours_.expire(now_ + milliseconds(Neighbours::kResolveMs));
  EXPECT_FALSE(table_.contains(7));
}

TEST_F(NeighboursTest, KeepsOneThatAnsweredWhenNobodyToldOfIt) {
  std::vector<bool> proofs;
  neighbours_.missed(1, 7, packet(1), now_);
  neighbours_.prove(1, 7, [&proofs](bool proven) { proofs.push_back(proven); }, now_);
  table_[7] = entry(kNeighbourValid, 9);
  neighbours_.expire(now_ + milliseconds(Neighbours::kResolveMs));
  EXPECT_TRUE(table_.contains(7));
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(sent_[1][18 + 20], 1);
  EXPECT_EQ(proofs, std::vector<bool>{true});
  EXPECT_EQ(neighbours_.counters().dropped_unresolved, 0u);
  EXPECT_EQ(neighbours_.held(), 0u);
}

TEST_F(NeighboursTest, AsksForAPacketThatIsTooLongToWait) {
  neighbours_.missed(1, 7, {}, now_);
  EXPECT_EQ(sent_.size(), 1u);
  EXPECT_EQ(neighbours_.held(), 0u);
  answer(7);
  EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(NeighboursTest, DropsWhatWaitsForARemovedAttachment) {
  neighbours_.missed(1, 7, packet(1), now_);
  neighbours_.missed(2, 7, packet(1), now_);
  neighbours_.forget_attachment(1);
  EXPECT_EQ(neighbours_.held(), 1u);
}

}  // namespace
}  // namespace hearth::gateway
