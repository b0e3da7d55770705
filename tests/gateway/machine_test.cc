// What holds for gateways in machines only: HEARTH_TEST_DRIVER=vm.
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>

#include "tests/gateway/world.h"

namespace hearth::gateway::test {
namespace {

class Machine : public World {
 protected:
  void SetUp() override {
    if (driver() != "vm") GTEST_SKIP() << "the driver is " << driver();
    World::SetUp();
  }
  bool has_said(const std::string& what) {
    const auto heard = [&] {
      return std::ranges::any_of(said_, [&](const std::string& line) { return line.contains(what); });
    };
    for (int i = 0; i < 500 && !heard(); ++i) pump(10);
    return heard();
  }
};

TEST_F(Machine, OneThatDiesIsBootedAgainAndKnowsItsAttachments) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  ASSERT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  const pid_t before = agent_pid();
  ASSERT_EQ(kill(before, SIGKILL), 0);
  for (int i = 0; i < 6000 && (agent_pid() == 0 || agent_pid() == before); ++i) pump(10);
  wait_until_it_serves();
  EXPECT_NE(agent_pid(), before);
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(counter("", "restarts"), 1);
}

TEST_F(Machine, TheNextWardenFindsItWithItsConnections) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  const Connection made = connect_from(slot.netns.get(), "10.0.0.10", 7000);
  ASSERT_EQ(read_some(made.socket.get()), "red 10.0.0.4");
  const pid_t before = agent_pid();
  close();
  open();
  wait_until_it_serves();
  EXPECT_EQ(agent_pid(), before);
  ASSERT_EQ(send(made.socket.get(), "still", 5, MSG_NOSIGNAL), 5);
  EXPECT_EQ(read_some(made.socket.get()), "still");
  EXPECT_EQ(counter(red.attachment, "sessions"), 1);
}

TEST_F(Machine, WhatItSaysOnItsConsoleReachesTheLog) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  ASSERT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_TRUE(has_said("container=" + slot.address + " "));
}

}  // namespace
}  // namespace hearth::gateway::test
