#include "warden/memory_guard.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/log.h"
#include "kernel/process.h"
#include "warden/fake_cgroups_test.h"

namespace hearth::warden {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kMib = 1 << 20;

class MemoryGuardTest : public ::testing::Test {
 protected:
  // A container that has used more than its memory, most of it in /tmp.
  MemoryGuardTest() {
    if (victim_.pid == 0) {
      pause();
      _exit(0);
    }
    record_.pidfd = std::move(victim_.pidfd);
    fake_.write("c1", "cgroup.event_control", "");
    fake_.write("c1", "memory.usage_in_bytes", std::to_string(300 * kMib));
    fake_.write("c1", "memory.kmem.usage_in_bytes", std::to_string(kMib));
    uses(28);
    guard_.watch(record_, 128 * kMib, now_);
    now_ += MemoryGuard::kAlarmDelay;
  }
  ~MemoryGuardTest() override {
    (void)kernel::send_signal(record_.pidfd.get(), SIGKILL);  // ended by the guard, perhaps
    waitpid(victim_.pid, nullptr, 0);
  }

  void uses(int64_t mib) { fake_.write("c1", "memory.stat", "rss " + std::to_string((mib - 1) * kMib) + "\n"); }
  // When the next look is due, counted from this one.
  std::chrono::milliseconds look() {
    guard_.look(now_);
    return std::chrono::duration_cast<std::chrono::milliseconds>(guard_.next_look().value() - now_);
  }
  bool killed() {
    siginfo_t info{};
    EXPECT_EQ(
        waitid(P_PID, static_cast<id_t>(victim_.pid), &info, WEXITED | WNOWAIT | (record_.over_limit ? 0 : WNOHANG)),
        0);
    return info.si_pid == victim_.pid;
  }

  FakeCgroups fake_;
  kernel::Process victim_ = kernel::fork_process().value();
  kernel::CgroupHost cgroups_ = fake_.host();
  Record record_{.key = 1, .stage = Stage::bound, .place = {ContainerId("c1"), {}, cgroups_.make("c1").value(), {}}};
  Poller poller_ = Poller::make().value();
  MemoryGuard guard_{poller_, [this](uint64_t) { return &record_; }};
  MemoryGuard::Time now_ = std::chrono::steady_clock::now();
};

TEST_F(MemoryGuardTest, LooksAsOftenAsWhatIsLeftRequires) {
  EXPECT_EQ(look(), 100ms);
  uses(127);
  EXPECT_EQ(look(), 100ms) << "it was not due";
  now_ += 100ms;
  EXPECT_EQ(look(), MemoryGuard::kLook);
  record_.own_limit = 10'000 * kMib;
  now_ += 20ms;
  EXPECT_EQ(look(), MemoryGuard::kLongLook);
  EXPECT_FALSE(killed());
}

TEST_F(MemoryGuardTest, KillsWhatIsOverItsLimit) {
  uses(129);
  look();
  EXPECT_TRUE(record_.over_limit);
  EXPECT_TRUE(killed());
}

TEST_F(MemoryGuardTest, LeavesAloneWhatIsFrozenAndLooksWhenItIsThawed) {
  record_.frozen = true;
  uses(129);
  EXPECT_EQ(look(), MemoryGuard::kLongLook);
  EXPECT_FALSE(killed());
  record_.frozen = false;
  guard_.thawed(record_);
  look();
  EXPECT_TRUE(killed());
}

TEST_F(MemoryGuardTest, GoesOnAfterALookThatFailed) {
  std::filesystem::remove(fake_.path("c1", "memory.stat"));
  log::start("memory_guard_test", "error");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(look(), MemoryGuard::kLongLook);
  now_ += MemoryGuard::kLongLook;
  EXPECT_EQ(look(), MemoryGuard::kLongLook);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  uses(129);
  now_ += MemoryGuard::kLongLook;
  look();
  EXPECT_TRUE(killed());
}

}  // namespace
}  // namespace hearth::warden
