// The log of port blocks: what the data plane reports reaches the warden, in order, whatever is killed.
#include <csignal>
#include <optional>

#include "tests/gateway/world.h"

namespace hearth::gateway::test {
namespace {

class Blocks : public World {
 protected:
  using Change = BlockChanges::Change;

  // The next changes, as hearthd takes them.
  std::vector<Change> take() {
    std::optional<Result<BlockChanges>> taken;
    net().take_blocks(gateway_, epoch_, serial_,
                      [&taken](Result<BlockChanges> changes) { taken = std::move(changes); });
    for (int i = 0; i < 1000 && !taken; ++i) pump(10);
    if (!taken || !*taken) {
      ADD_FAILURE() << (taken ? taken->error().describe() : "no answer");
      return {};
    }
    epoch_ = (*taken)->epoch;
    serial_ = (*taken)->serial;
    return std::move((*taken)->changes);
  }
  // Changes up to the first of that kind, which is the last one here.
  std::vector<Change> take_until(const std::string& what) {
    std::vector<Change> all;
    for (int i = 0; i < 20; ++i) {
      for (auto& change : take()) {
        all.push_back(std::move(change));
        if (all.back().what == what) return all;
      }
    }
    ADD_FAILURE() << "nothing was " << what;
    return all;
  }
  Change next(const std::string& what) {
    auto all = take_until(what);
    return all.empty() ? Change{} : all.back();
  }
  void expect_is(const Change& change, const Tenant& tenant, const Slot& slot) {
    EXPECT_EQ(change.attachment, tenant.attachment);
    EXPECT_EQ(change.vpc, tenant.vpc.str());
    EXPECT_EQ(change.external, "10.0.0.4");
    EXPECT_EQ(change.container, slot.address);
    EXPECT_GE(change.first_port, 1024u);
    EXPECT_EQ(change.count, 64u);
  }

  uint64_t epoch_ = 0, serial_ = 0;
};

TEST_F(Blocks, ABlockIsToldWhenItIsGivenAndWhenItIsReleased) {
  const auto tenant = make_tenant("alpha");
  take_until("resumed");
  Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, tenant.attachment, ""));
  const auto before = SystemClock().wall();
  ASSERT_NE(greeting(slot.netns.get(), "10.0.0.10"), "");
  const Change given = next("given");
  expect_is(given, tenant, slot);
  EXPECT_GE(given.at, before - std::chrono::milliseconds(100));
  EXPECT_LE(given.at, SystemClock().wall());
  const std::string address = slot.address;
  ASSERT_TRUE(net().release_slot(std::move(slot)));
  const Change released = next("released");
  EXPECT_EQ(released.container, address);
  EXPECT_EQ(released.first_port, given.first_port);
  EXPECT_EQ(released.external, given.external);
}

TEST_F(Blocks, WhatAKilledAgentHadNotToldIsToldByTheNext) {
  if (driver() == "vm") GTEST_SKIP() << "a machine's tables die with it";
  const auto tenant = make_tenant("alpha");
  Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, tenant.attachment, ""));
  take_until("resumed");
  ASSERT_NE(greeting(slot.netns.get(), "10.0.0.10"), "");
  ASSERT_EQ(kill(agent_pid(), SIGKILL), 0);
  const auto told = take_until("resumed");
  bool stands = false;
  for (const auto& change : told) {
    stands = stands || (change.what == "standing" && change.container == slot.address);
    if (change.what == "begun") EXPECT_EQ(change.count, 0u);
  }
  EXPECT_TRUE(stands);
}

TEST_F(Blocks, ANewWardenLosesNothing) {
  const auto tenant = make_tenant("alpha");
  Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, tenant.attachment, ""));
  take_until("resumed");
  ASSERT_NE(greeting(slot.netns.get(), "10.0.0.10"), "");
  Fd netns = std::move(slot.netns);
  close();
  open();
  wait_until_it_serves();
  const Change given = next("given");
  EXPECT_EQ(given.container, slot.address);
  EXPECT_EQ(given.attachment, tenant.attachment);
}

TEST_F(Blocks, TheBlocksOfADeletedAttachmentAreSaidToBeGoneByItsName) {
  const auto tenant = make_tenant("alpha");
  take_until("resumed");
  ASSERT_TRUE(net().delete_attachment(tenant.attachment));
  const Change cleared = next("cleared");
  EXPECT_EQ(cleared.attachment, tenant.attachment);
  EXPECT_EQ(cleared.vpc, tenant.vpc.str());
  EXPECT_EQ(cleared.external, "10.0.0.4");
}

TEST_F(Blocks, OneWhoAsksTwiceIsAnsweredTwice) {
  const auto tenant = make_tenant("alpha");
  take_until("resumed");
  std::optional<Result<BlockChanges>> first, second;
  const auto ask = [this](std::optional<Result<BlockChanges>>& answer) {
    net().take_blocks(gateway_, epoch_, serial_, [&answer](Result<BlockChanges> told) { answer = std::move(told); });
  };
  ask(first);
  ask(second);
  for (int i = 0; i < 400 && !first; ++i) pump(10);
  EXPECT_FALSE(second) << "there is nothing to tell yet";
  ASSERT_TRUE(net().delete_attachment(tenant.attachment));
  for (int i = 0; i < 400 && !second; ++i) pump(10);
  ASSERT_TRUE(first && *first && second && *second);
  EXPECT_TRUE((*first)->changes.empty());
  EXPECT_EQ((*first)->serial, serial_);
  ASSERT_EQ((*second)->changes.size(), 1u);
  EXPECT_EQ((*second)->changes[0].what, "cleared");
}

}  // namespace
}  // namespace hearth::gateway::test
