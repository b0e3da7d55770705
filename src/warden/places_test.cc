#include "warden/places.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <vector>

#include "kernel/process.h"
#include "warden/fake_cgroups_test.h"
#include "warden/root_test/loopback_network.h"

namespace hearth::warden {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

gateway::Slot seventh() {
  gateway::Slot slot;
  slot.number = 7;
  return slot;
}

struct CountingNetwork : LoopbackNetwork {
  Result<gateway::Slot> make_slot() override { return seventh(); }  // without a namespace
  Result<> unbind(const gateway::Slot& slot) override {
    unbound.push_back(slot.number);
    return {};
  }
  Result<> release_slot(gateway::Slot slot) override {
    released.push_back(slot.number);
    return {};
  }
  std::vector<int64_t> unbound, released;
};

class PlacesTest : public ::testing::Test {
 protected:
  PlacesTest() : victim_(kernel::fork_process().value()) {
    if (victim_.pid == 0) {
      pause();
      _exit(0);
    }
  }
  // Not reaped before, so that nobody else can have its number.
  ~PlacesTest() override {
    EXPECT_TRUE(kernel::send_signal(victim_.pidfd.get(), SIGKILL).has_value());
    waitpid(victim_.pid, nullptr, 0);
  }

  Place place() { return {id_, seventh(), cgroups_.make(id_.str()).value(), {}}; }
  // A process that is killed and stays.
  void hold(const std::string& cgroup) { fake_.write(cgroup, "cgroup.procs", std::to_string(victim_.pid) + "\n"); }
  void let_go(const std::string& cgroup) { fs::remove(fake_.path(cgroup, "cgroup.procs")); }
  // Works as the loop would.
  void work_for(std::chrono::milliseconds time) {
    for (const auto end = now_ + time; places_.next_work() && *places_.next_work() <= end;) {
      now_ = std::max(now_, *places_.next_work());
      ASSERT_TRUE(places_.work(now_).has_value());
    }
  }

  FakeCgroups fake_;
  CountingNetwork network_;
  kernel::HomeNamespaces home_ = kernel::HomeNamespaces::open().value();
  kernel::CgroupHost cgroups_ = fake_.host();
  Places places_{network_, cgroups_, home_};
  const ContainerId id_{"c0123456789abcdef"};
  kernel::Process victim_;
  Places::Time now_ = std::chrono::steady_clock::now();
};

TEST_F(PlacesTest, ASlotIsCutOffAlthoughAProcessIsLeft) {
  Place mine = place();
  hold(id_.str());
  EXPECT_FALSE(places_.give_back(mine).has_value());
  EXPECT_EQ(network_.unbound, std::vector<int64_t>{7});
  let_go(id_.str());
  EXPECT_TRUE(places_.give_back(mine).has_value());
  EXPECT_TRUE(network_.released.empty());
  work_for(kNamespaceEnds * 2);
  EXPECT_EQ(network_.released, std::vector<int64_t>{7});
  EXPECT_FALSE(places_.next_work());
}

TEST_F(PlacesTest, WhatIsSetAsideIsGivenBackWhenItsProcessesHaveEnded) {
  ASSERT_TRUE(cgroups_.make("cleft").has_value());
  hold("cleft");
  hold(place().container.str());
  places_.set_aside("cleft", std::nullopt);
  places_.set_aside(id_.str(), seventh());
  work_for(1s);
  EXPECT_EQ(places_.stuck(), 2U);
  EXPECT_TRUE(network_.released.empty());
  siginfo_t ended{};
  EXPECT_EQ(waitid(P_PID, static_cast<id_t>(victim_.pid), &ended, WEXITED | WNOWAIT), 0);
  let_go("cleft");
  let_go(id_.str());
  work_for(1s);
  EXPECT_EQ(places_.stuck(), 0U);
  EXPECT_EQ(network_.released, std::vector<int64_t>{7});
  EXPECT_FALSE(fs::exists(fake_.path("cleft")));
  EXPECT_FALSE(fs::exists(fake_.path(id_.str())));
  EXPECT_FALSE(places_.next_work());
}

TEST_F(PlacesTest, APlaceThatCannotBeMadeLeavesNothing) {
  EXPECT_FALSE(places_.make_ahead().has_value());
  work_for(1s);
  EXPECT_EQ(network_.released, std::vector<int64_t>{7});
  EXPECT_TRUE(cgroups_.list().value().empty());
  EXPECT_FALSE(places_.next_work());
}

}  // namespace
}  // namespace hearth::warden
