// Program: somebody else's program that a test runs in a network namespace.
#pragma once

#include <sys/types.h>

#include <string>

namespace hearth::gateway::test {

// A server: runs until its end here. `command` is a shell's; what it says goes to `log`.
class Program {
 public:
  Program(int netns, const std::string& command, const std::string& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

 private:
  pid_t pid_;
};

// Until a server has written that to its log. False: it took too long.
bool wait_for_text(const std::string& log, const std::string& text);

struct Said {
  int status = -1;  // as a shell sees it
  std::string text;
};
// Runs to its end.
Said run_program(int netns, const std::string& command);

}  // namespace hearth::gateway::test
