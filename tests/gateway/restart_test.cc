// What survives a kill, and what is left after purge.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "kernel/netlink.h"
#include "tests/gateway/world.h"

namespace hearth::gateway::test {
namespace {

class Restart : public World {
 protected:
  static bool echoes(const Connection& made, const std::string& text) {
    send(made.socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return read_some(made.socket.get()) == text;
  }
  void kill_agent() {
    const pid_t pid = agent_pid();
    ASSERT_NE(pid, 0);
    ASSERT_EQ(kill(pid, SIGKILL), 0);
  }
};

TEST_F(Restart, SessionsOutliveTheAgentAndNewOnesWorkWithoutIt) {
  if (driver() == "vm") GTEST_SKIP() << "tables die with their machine";
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  const Connection made = connect_from(slot.netns.get(), "10.0.0.10", 7000);
  ASSERT_EQ(made.error, 0);
  ASSERT_EQ(read_some(made.socket.get()), "red 10.0.0.4");
  const pid_t before = agent_pid();
  kill_agent();
  // Nobody has dispatched yet: there is no agent.
  EXPECT_TRUE(echoes(made, "while it is dead"));
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  for (int i = 0; i < 300 && (agent_pid() == 0 || agent_pid() == before); ++i) pump(10);
  EXPECT_NE(agent_pid(), before);
  EXPECT_TRUE(echoes(made, "after it is back"));
  EXPECT_EQ(counter("", "restarts"), 1);
}

TEST_F(Restart, WhatAGatewaySaysReachesTheLogAlsoPastTheWardensEnd) {
  if (driver() == "vm") GTEST_SKIP() << "looks into the agent's process";
  const Tenant red = make_tenant("red");
  const auto heard = [&](const std::string& address) {
    return std::ranges::any_of(said_, [&](const std::string& line) { return line.contains(address + " "); });
  };
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  ASSERT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  for (int i = 0; i < 300 && !heard(slot.address); ++i) pump(10);
  EXPECT_TRUE(heard(slot.address));
  // Nothing of this process is open in it but what is its own.
  const pid_t agent = agent_pid();
  const std::string open_files = "/proc/" + std::to_string(agent) + "/fd/";
  const std::string fifo = options_.run_dir + "/gateways/" + gateway_.str() + ".log";
  EXPECT_EQ(std::filesystem::read_symlink(open_files + "0"), "/dev/null");
  EXPECT_EQ(std::filesystem::read_symlink(open_files + "1"), fifo);
  EXPECT_EQ(std::filesystem::read_symlink(open_files + "2"), fifo);

  const Slot second = make_slot();
  ASSERT_TRUE(net().bind(second, red.attachment, ""));
  close();
  ASSERT_EQ(greeting(second.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  // Nobody reads, and there is no room any more.
  const Fd full(::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  pollfd said{full.get(), POLLIN, 0};
  ASSERT_EQ(poll(&said, 1, 5000), 1);
  const std::string line(512, 'x');
  while (write(full.get(), (line + "\n").data(), line.size() + 1) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
  open();
  EXPECT_EQ(agent_pid(), agent);
  for (int i = 0; i < 300 && !heard(second.address); ++i) pump(10);
  EXPECT_TRUE(heard(second.address));
}

TEST_F(Restart, ANewWardenFindsGatewayAttachmentsPoliciesAndSlots) {
  const Tenant red = make_tenant("red");
  Slot slot = make_slot();
  ASSERT_TRUE(net().ensure_policy("p", {{.protocol = -1}}));
  ASSERT_TRUE(net().bind(slot, red.attachment, "p"));
  const Connection made = connect_from(slot.netns.get(), "10.0.0.10", 7000);
  ASSERT_EQ(read_some(made.socket.get()), "red 10.0.0.4");
  const pid_t agent = agent_pid();
  const int64_t number = slot.number;
  close();
  EXPECT_TRUE(echoes(made, "without a warden"));
  open();
  EXPECT_EQ(agent_pid(), agent);
  auto adopted = net().adopt_slot(number, std::move(slot.netns));
  ASSERT_TRUE(adopted) << adopted.error().describe();
  EXPECT_EQ(adopted->mac, slot.mac);
  EXPECT_EQ(adopted->address, slot.address);
  EXPECT_TRUE(echoes(made, "with the next one"));
  const Slot fresh = make_slot();
  EXPECT_NE(fresh.number, number);
  ASSERT_TRUE(net().bind(fresh, red.attachment, "p"));
  EXPECT_EQ(greeting(fresh.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_TRUE(attach(red).proven);
  ASSERT_TRUE(net().release_slot(std::move(*adopted)));
}

TEST_F(Restart, AnAgentThatIsStoppedHoldsUpNobody) {
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  const pid_t agent = agent_pid();
  ASSERT_EQ(kill(agent, SIGSTOP), 0);
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(net().bind(slot, red.attachment, ""));
    ASSERT_TRUE(net().unbind(slot));
  }
  ASSERT_EQ(kill(agent, SIGCONT), 0);
  EXPECT_TRUE(attach(red).proven);
  const Slot next = make_slot();
  ASSERT_TRUE(net().bind(next, red.attachment, ""));
  EXPECT_EQ(greeting(next.netns.get(), "10.0.0.10"), "red 10.0.0.4");
  EXPECT_EQ(agent_pid(), agent);
}

TEST_F(Restart, AWardenThatDiedWithTheAgentIsNoMatter) {
  if (driver() == "vm") GTEST_SKIP() << "tables die with their machine";
  const Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  close();
  kill_agent();
  open();
  EXPECT_NE(agent_pid(), 0);
  EXPECT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
}

TEST_F(Restart, TheAddressOfALostContainerComesBackOnlyAfterItsSessionsWent) {
  const Tenant red = make_tenant("red");
  std::string lost;
  {
    const Slot slot = make_slot();
    lost = slot.address;
    ASSERT_TRUE(net().bind(slot, red.attachment, ""));
    ASSERT_EQ(greeting(slot.netns.get(), "10.0.0.10"), "red 10.0.0.4");
    close();
  }
  // The namespace went with its last descriptor; its interface follows in the background.
  open();
  for (int i = 0; i < 100 && counter(red.attachment, "free_blocks") != 1008; ++i) {
    pump(10);
    Slot next = make_slot();
    EXPECT_NE(next.address, lost);
    ASSERT_TRUE(net().release_slot(std::move(next)));
    close();
    open();
  }
  EXPECT_EQ(counter(red.attachment, "free_blocks"), 1008);
}

TEST_F(Restart, APolicyOfALostContainerIsNotInUse) {
  const Tenant red = make_tenant("red");
  ASSERT_TRUE(net().ensure_policy("p", {{.protocol = -1}}));
  {
    const Slot slot = make_slot();
    ASSERT_TRUE(net().bind(slot, red.attachment, "p"));
    EXPECT_EQ(net().delete_policy("p").error().kind, Kind::conflict);
    close();
  }
  open();
  // Its interface goes in the background.
  bool deleted = false;
  for (int i = 0; i < 300 && !deleted; ++i) {
    pump(10);
    deleted = net().delete_policy("p").has_value();
  }
  EXPECT_TRUE(deleted);
}

TEST_F(Restart, PurgeLeavesNothingEvenWithEverythingKilled) {
  const auto mounts = [] {
    std::ifstream file("/proc/self/mounts");
    std::string all, line;
    while (std::getline(file, line)) all += line + "\n";
    return all;
  };
  const auto links = [] {
    std::string names;
    auto netlink = kernel::Netlink::open();
    for (const auto& link : *netlink->links()) names += link.name + "\n";
    return names;
  };
  close();
  ASSERT_TRUE(FunctionNetwork::purge(options_));
  const std::string mounts_before = mounts(), links_before = links();
  open();
  ASSERT_TRUE(net().ensure_gateway(gateway_, driver()));
  wait_until_it_serves();
  Tenant red = make_tenant("red");
  const Slot slot = make_slot();
  ASSERT_TRUE(net().bind(slot, red.attachment, ""));
  EXPECT_NE(mounts(), mounts_before);
  red.server.reset();
  close();
  kill_agent();
  const auto purged = FunctionNetwork::purge(options_);
  ASSERT_TRUE(purged) << purged.error().describe();
  EXPECT_EQ(mounts(), mounts_before);
  EXPECT_EQ(links(), links_before);
  EXPECT_EQ(agent_pid(), 0);
  EXPECT_FALSE(std::filesystem::exists("/run/netns/gwt-red"));
  EXPECT_TRUE(!std::filesystem::exists(options_.run_dir) || std::filesystem::is_empty(options_.run_dir));
}

}  // namespace
}  // namespace hearth::gateway::test
