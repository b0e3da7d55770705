#include "container/admission.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "container/zygote_protocol.h"
#include "kernel/process.h"
#include "kernel/unix_socket.h"

namespace hearth::container {
namespace {

constexpr uint16_t kRuntimeApiPort = 9001;
constexpr uint16_t kAwsEndpointPort = 9002;
constexpr int kBacklog = 128;

uint32_t first_id(int64_t slot) { return kFirstId + static_cast<uint32_t>(slot) * kIdsEach; }

}  // namespace

Result<Pipe> log_pipe(int64_t slot) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  if (fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl");
  if (fchown(pipe.write.get(), first_id(slot) + kFunctionUser, first_id(slot) + kFunctionGroup) != 0) {
    return fail_errno("fchown");
  }
  return pipe;
}

Result<Listeners> make_listeners(int netns, const kernel::HomeNamespaces& home) {
  TRY_ASSIGN(auto visit, kernel::NamespaceVisit::network(netns, home));
  Listeners listeners;
  TRY_ASSIGN(listeners.runtime_api, kernel::listen_loopback(kRuntimeApiPort, kBacklog));
  TRY_ASSIGN(listeners.aws_endpoint, kernel::listen_loopback(kAwsEndpointPort, kBacklog));
  return listeners;
}

Result<> admit(pid_t pid, int64_t slot, const kernel::Cgroup& cgroup, int control) {
  if (slot < 0 || slot > kMaxSlot) return fail(Kind::exhausted, fmt::format("slot {} has no ids", slot));
  std::string map = fmt::format("0 {} {}\n", first_id(slot), kIdsEach);
  Fd process(open(fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process.valid()) return fail_errno(fmt::format("open /proc/{}", pid));
  TRY(kernel::write_file(process.get(), "uid_map", map));
  TRY(kernel::write_file(process.get(), "gid_map", map));
  // On v2 it was cloned there.
  if (cgroup.version() == kernel::CgroupVersion::v1) TRY(cgroup.add(pid));
  return kernel::send_datagram(control, kGo, {}, MSG_DONTWAIT);
}

Result<> limit(const kernel::Cgroup& cgroup, int64_t memory_mib, int64_t tmp_mib) {
  TRY(cgroup.limit_memory(memory_mib + kMemoryHeadroomMib + tmp_mib));
  return cgroup.weigh_cpu(std::max<int64_t>(2, 1024 * memory_mib / kMemoryMibForOneCpu));
}

}  // namespace hearth::container
