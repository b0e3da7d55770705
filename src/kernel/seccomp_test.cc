#include "kernel/seccomp.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace hearth::kernel {
namespace {

// Not _exit, which sanitizers fill with calls of their own.
[[noreturn]] void leave(int status) {
  for (;;) syscall(SYS_exit_group, status);
}

// The exit status of a child that installs the filter and then runs `check`.
__attribute__((no_sanitize("address", "undefined"))) int run_filtered(const std::vector<SyscallRule>& rules,
                                                                      int (*check)()) {
  auto program = compile_filter(rules).value();
  pid_t child = fork();
  if (child == 0) {
    sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
      leave(200);
    leave(check());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const SyscallRule kExit = {"exit_group", {}, 0};

TEST(Seccomp, WhatNoRuleNamesIsUnknown) {
  EXPECT_EQ(run_filtered({kExit}, [] { return syscall(SYS_getppid) < 0 ? errno : 0; }), ENOSYS);
  EXPECT_EQ(run_filtered({kExit, {"getppid", {}, 0}}, [] { return syscall(SYS_getppid) < 0 ? errno : 0; }), 0);
}

TEST(Seccomp, ARefusalHasItsErrno) {
  EXPECT_EQ(run_filtered({kExit, {"getppid", {}, EACCES}}, [] { return syscall(SYS_getppid) < 0 ? errno : 0; }),
            EACCES);
}

TEST(Seccomp, ConditionsLookAtArguments) {
  std::vector<SyscallRule> rules = {
      kExit,
      {"socket", {{0, Comparison::Test::equal, 0, AF_UNIX}, {1, Comparison::Test::masked_equal, 0xf, SOCK_STREAM}}, 0},
      {"socket", {{0, Comparison::Test::equal, 0, AF_INET}}, EPERM}};
  EXPECT_EQ(run_filtered(rules, [] { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? errno : 0; }), 0);
  EXPECT_EQ(run_filtered(rules, [] { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(run_filtered(rules, [] { return socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ? errno : 0; }), ENOSYS);
}

TEST(Seccomp, NamesOfOtherKernelsAreSkipped) {
  EXPECT_EQ(run_filtered({kExit, {"call_of_tomorrow", {}, 0}}, [] { return 3; }), 3);
}

}  // namespace
}  // namespace hearth::kernel
