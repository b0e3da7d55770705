// Processes by pidfd: start, signal, wait; never by a number that may have been reused.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

struct Process {
  pid_t pid = 0;  // 0 in the child itself
  Fd pidfd;
};

// fork() that also yields the pidfd. Both sides return. `clone_flags`: CLONE_NEW… for the child.
// REQUIRES: a single-threaded process.
Result<Process> fork_process(uint64_t clone_flags = 0);

Result<Fd> open_pidfd(pid_t pid);
Result<> send_signal(int pidfd, int signal);

// How a process ended, as wait(2) tells it.
struct Ending {
  bool signaled = false;
  int code = 0;  // exit status or signal number
};
// The ending of a child that pidfd polled readable for, and reaps it; nullopt when it still runs. A process that is not
// our child is Kind::not_found.
Result<std::optional<Ending>> reap(int pidfd);
// Reaps all children in the process group `group` that have ended; true when there are others.
Result<bool> reap_group(pid_t group);
// True when the process behind `pidfd` has ended, whoever's child it is.
Result<bool> has_ended(int pidfd);

// Start time of `pid` in clock ticks since boot: with the pid it names one process for ever.
Result<uint64_t> start_time(pid_t pid);

// The namespace of `pid` that /proc/<pid>/ns calls `type` ("net", "mnt").
Result<Fd> open_namespace(pid_t pid, const std::string& type);

// Writes `text` to the existing file `name` of `directory` in one write(2), as kernel files want it.
Result<> write_file(int directory, const std::string& name, const std::string& text);
// At most `max_bytes` of the file.
Result<std::string> read_file(int directory, const std::string& name, size_t max_bytes = 4096);

}  // namespace hearth::kernel
