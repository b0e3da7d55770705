#include "kernel/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>

namespace hearth::kernel {
namespace {

Ending wait_for(const Process& process) {
  pollfd entry{process.pidfd.get(), POLLIN, 0};
  EXPECT_EQ(poll(&entry, 1, 10'000), 1);
  return reap(process.pidfd.get()).value().value();
}

TEST(Process, TellsExitStatus) {
  auto process = fork_process().value();
  if (process.pid == 0) _exit(7);
  Ending ending = wait_for(process);
  EXPECT_FALSE(ending.signaled);
  EXPECT_EQ(ending.code, 7);
  EXPECT_EQ(reap(process.pidfd.get()).error().kind, Kind::not_found);
}

TEST(Process, TellsSignalAndThatOneStillRuns) {
  auto process = fork_process().value();
  if (process.pid == 0) {
    pause();
    _exit(0);
  }
  EXPECT_FALSE(reap(process.pidfd.get()).value().has_value());
  EXPECT_FALSE(has_ended(process.pidfd.get()).value());
  ASSERT_TRUE(send_signal(process.pidfd.get(), SIGKILL).has_value());
  Ending ending = wait_for(process);
  EXPECT_TRUE(ending.signaled);
  EXPECT_EQ(ending.code, SIGKILL);
  EXPECT_EQ(send_signal(process.pidfd.get(), SIGKILL).error().kind, Kind::not_found);
}

TEST(Process, StartTimeTellsProcessesApart) {
  auto process = fork_process().value();
  if (process.pid == 0) {
    pause();
    _exit(0);
  }
  EXPECT_GE(start_time(process.pid).value(), start_time(getpid()).value());
  EXPECT_EQ(start_time(process.pid).value(), start_time(process.pid).value());
  ASSERT_TRUE(send_signal(process.pidfd.get(), SIGKILL).has_value());
  wait_for(process);
  EXPECT_FALSE(start_time(process.pid).has_value());
}

TEST(Process, FilesOfTheKernelAreReadAndMissingOnesAreNotFound) {
  EXPECT_EQ(read_file(AT_FDCWD, "/proc/self/comm").value().back(), '\n');
  EXPECT_EQ(read_file(AT_FDCWD, "/proc/self/comm", 2).value().size(), 2U);
  EXPECT_EQ(read_file(AT_FDCWD, "/proc/self/nothing").error().kind, Kind::not_found);
  EXPECT_EQ(write_file(AT_FDCWD, "/proc/self/nothing", "x").error().kind, Kind::not_found);
  EXPECT_EQ(open_namespace(getpid(), "nothing").error().kind, Kind::not_found);
}

}  // namespace
}  // namespace hearth::kernel
