#include "tests/gateway/checklist/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "kernel/netns.h"

namespace hearth::gateway::test {

namespace {

constexpr std::chrono::seconds kPatience{20};

}  // namespace

Program::Program(int netns, const std::string& command, const std::string& log) {
  auto inside = kernel::NetnsScope::enter(netns);
  EXPECT_TRUE(inside);
  const std::string line = "exec " + command;
  // Before the fork, so that nobody reads in it what the last one wrote.
  const Fd file(open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  EXPECT_TRUE(file.valid()) << log;
  pid_ = fork();
  if (pid_ != 0) return;
  dup2(file.get(), STDOUT_FILENO);
  dup2(file.get(), STDERR_FILENO);
  execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
  _exit(127);
}

Program::~Program() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

bool wait_for_text(const std::string& log, const std::string& text) {
  const Fd written(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_add_watch(written.get(), log.c_str(), IN_MODIFY) < 0) return false;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    std::ifstream file(log);
    if (std::string(std::istreambuf_iterator<char>(file), {}).contains(text)) return true;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd more{written.get(), POLLIN, 0};
    if (left <= 0 || poll(&more, 1, static_cast<int>(left)) != 1) return false;
    char events[4096];
    (void)!read(written.get(), events, sizeof events);
  }
}

Said run_program(int netns, const std::string& command) {
  auto inside = kernel::NetnsScope::enter(netns);
  EXPECT_TRUE(inside);
  Said said;
  FILE* output = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, output)) said.text.append(buffer, got);
  said.status = pclose(output);
  return said;
}

}  // namespace hearth::gateway::test
