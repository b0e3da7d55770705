#include "tests/gateway/checklist/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "kernel/netns.h"
#include "tests/gateway/world.h"

namespace hearth::gateway::test {

namespace {

bool comes_true(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

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

bool wait_for_listener(int netns, const std::string& address, uint16_t port) {
  return comes_true([&] { return connect_from(netns, address, port, 100).error == 0; });
}

bool wait_for_text(const std::string& log, const std::string& text) {
  return comes_true([&] {
    std::ifstream file(log);
    return std::string(std::istreambuf_iterator<char>(file), {}).contains(text);
  });
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
