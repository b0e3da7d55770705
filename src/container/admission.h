// What the warden does for a new container between its clone and its first own step: ids, cgroups, "go".
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/cgroup.h"
#include "kernel/namespaces.h"

namespace hearth::container {

// Each container has 65,536 ids of the host of its own, by its slot.
constexpr uint32_t kFirstId = 0x20000000;
constexpr uint32_t kIdsEach = 65536;
constexpr int64_t kMaxSlot = (0xffff0000U - kFirstId) / kIdsEach - 1;

constexpr int64_t kMaxProcesses = 1024;  // as on AWS
// On top of MemorySize: PID 1, the shim's own pages, and what the kernel charges for the container itself.
constexpr int64_t kMemoryHeadroomMib = 8;
// Memory for one full CPU, as on AWS; less memory is a lower share when CPUs are short.
constexpr int64_t kMemoryMibForOneCpu = 1769;

struct Pipe {
  Fd read;
  Fd write;
};
// A pipe for the container's output that its function may open again by /dev/stderr. The read end does not block.
Result<Pipe> log_pipe(int64_t slot);

// Two listeners on the loopback of the network namespace `netns`: Runtime API and AWS endpoint.
struct Listeners {
  Fd runtime_api;   // 127.0.0.1:9001
  Fd aws_endpoint;  // 127.0.0.1:9002
};
Result<Listeners> make_listeners(int netns, const kernel::HomeNamespaces& home);

// Maps the ids of the waiting process, moves it into its cgroup and says go.
Result<> admit(pid_t pid, int64_t slot, const kernel::Cgroup& cgroup, int control);

// The bytes that a function's processes may use.
constexpr int64_t own_memory_limit(int64_t memory_mib) { return (memory_mib + kMemoryHeadroomMib) << 20; }

// The limits that MemorySize means. The kernel charges what is in /tmp to the same account, so its hard limit has room
// for that; that the processes alone stay within own_memory_limit() is for MemoryGuard to see to.
Result<> limit(const kernel::Cgroup& cgroup, int64_t memory_mib, int64_t tmp_mib);

}  // namespace hearth::container
