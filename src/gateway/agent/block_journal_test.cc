#include "gateway/agent/block_journal.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

using Kind = BlockChange::Kind;
constexpr uint64_t kEpoch = 1000;
constexpr uint64_t kMs = 1'000'000;

BlockChange change(Kind kind, uint32_t port) {
  BlockChange made{};
  made.kind = kind;
  made.first_port = port;
  made.count = 64;
  return made;
}

// As the warden does: asks behind what it has got.
struct Taker {
  BlockJournal& journal;
  uint64_t epoch = 0;
  uint64_t serial = 0;

  ControlReply ask(uint64_t now = 0) {
    ControlReply reply;
    journal.tell(epoch, serial, now, reply);
    return reply;
  }
  std::vector<BlockChange> take(uint64_t now = 0) {
    const ControlReply reply = ask(now);
    epoch = reply.epoch;
    serial = reply.serial;
    return {reply.changes, reply.changes + reply.change_count};
  }
  std::vector<BlockChange> take_all() {
    std::vector<BlockChange> all;
    while (journal.has_more(epoch, serial)) {
      const auto some = take();
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
};

std::vector<uint32_t> kinds(const std::vector<BlockChange>& changes) {
  std::vector<uint32_t> all;
  for (const auto& each : changes) all.push_back(each.kind);
  return all;
}

TEST(BlockJournal, BeginsWithWhatStands) {
  BlockJournal journal(kEpoch);
  journal.begin({change(Kind::kGiven, 1024), change(Kind::kGiven, 2048)}, 0);
  journal.add(change(Kind::kReleased, 1024), 0);
  const auto told = Taker{journal}.take();
  EXPECT_EQ(kinds(told),
            (std::vector<uint32_t>{Kind::kBegun, Kind::kStanding, Kind::kStanding, Kind::kResumed, Kind::kReleased}));
  EXPECT_EQ(told[0].count, 0u);
  EXPECT_EQ(told[2].first_port, 2048u);
}

TEST(BlockJournal, TellsAgainWhatWasNotTaken) {
  BlockJournal journal(kEpoch);
  journal.begin({}, 0);
  Taker taker{journal};
  EXPECT_EQ(taker.take().size(), 2u);
  EXPECT_FALSE(journal.has_more(taker.epoch, taker.serial));
  journal.add(change(Kind::kGiven, 1024), 0);
  EXPECT_TRUE(journal.has_more(taker.epoch, taker.serial));
  EXPECT_EQ(taker.ask().change_count, 1u);
  EXPECT_EQ(taker.ask().change_count, 1u);
  EXPECT_EQ(taker.take().front().first_port, 1024u);
  EXPECT_EQ(taker.ask().change_count, 0u);
  EXPECT_EQ(journal.size(), 0u);
}

TEST(BlockJournal, SaysHowLongAgoAndNeverThatItIsToCome) {
  BlockJournal journal(kEpoch);
  journal.add(change(Kind::kGiven, 1024), 5 * kMs);
  Taker taker{journal};
  EXPECT_EQ(taker.ask(1005 * kMs).changes[0].age_ms, 1000u);
  EXPECT_EQ(taker.ask(1 * kMs).changes[0].age_ms, 0u);
  EXPECT_EQ(taker.ask(UINT64_MAX).changes[0].age_ms, UINT32_MAX);
}

TEST(BlockJournal, TellsManyInPieces) {
  BlockJournal journal(kEpoch);
  for (uint32_t i = 0; i < 100; ++i) journal.add(change(Kind::kGiven, 64 * i), 0);
  Taker taker{journal};
  EXPECT_EQ(taker.take().size(), kMaxChangesEach);
  const auto rest = taker.take_all();
  ASSERT_EQ(rest.size(), 100 - kMaxChangesEach);
  EXPECT_EQ(rest.back().first_port, 64u * 99);
}

TEST(BlockJournal, ATakerWhoKnowsNothingGetsTheRestAndThenWhatStands) {
  BlockJournal journal(kEpoch);
  journal.begin({}, 0);
  Taker first{journal};
  first.take_all();
  first.ask();
  journal.add(change(Kind::kGiven, 1024), 0);
  Taker second{journal};
  ASSERT_TRUE(journal.must_begin(second.epoch));
  EXPECT_TRUE(journal.has_more(second.epoch, second.serial));
  journal.begin({change(Kind::kGiven, 1024)}, 0);
  EXPECT_EQ(kinds(second.take_all()),
            (std::vector<uint32_t>{Kind::kGiven, Kind::kBegun, Kind::kStanding, Kind::kResumed}));
  second.ask();
  EXPECT_TRUE(journal.must_begin(first.epoch)) << "the first one has missed something";
}

TEST(BlockJournal, ForgetsAndCountsWhatNobodyTakes) {
  BlockJournal journal(kEpoch);
  for (size_t i = 0; i < BlockJournal::kMaxChanges; ++i) journal.add(change(Kind::kGiven, 1024), 0);
  EXPECT_EQ(journal.size(), BlockJournal::kMaxChanges);
  EXPECT_FALSE(journal.must_begin(0));
  journal.add(change(Kind::kGiven, 1024), 0);
  EXPECT_EQ(journal.size(), 0u);
  journal.add(change(Kind::kReleased, 1024), 0);
  ASSERT_TRUE(journal.must_begin(0));
  journal.begin({change(Kind::kGiven, 2048)}, 0);
  const auto told = Taker{journal}.take();
  EXPECT_EQ(kinds(told), (std::vector<uint32_t>{Kind::kBegun, Kind::kStanding, Kind::kResumed}));
  EXPECT_EQ(told[0].count, BlockJournal::kMaxChanges + 2);
}

TEST(BlockJournal, CountsWhatStandsBeyondItsRoom) {
  BlockJournal journal(kEpoch);
  journal.begin(std::vector<BlockChange>(BlockJournal::kMaxStanding + 3, change(Kind::kGiven, 1024)), 0);
  EXPECT_EQ(journal.size(), BlockJournal::kMaxStanding + 1);
  const auto told = Taker{journal}.take_all();
  EXPECT_EQ(told.front().count, 3u);
  EXPECT_EQ(told.back().kind, Kind::kStanding) << "the rest is not over";
}

}  // namespace
}  // namespace hearth::gateway
