#include "gateway/agent/machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "gateway/machine_parts.h"
#include "kernel/netns.h"

namespace hearth::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kDeviceSeconds = 20;  // emulated machines are slow
constexpr milliseconds kLookEvery{5};
constexpr size_t kMaxOrder = 4096;

Result<> mount_one(const char* type, const char* path) {
  if (mkdir(path, 0755) != 0 && errno != EEXIST) return fail_errno(std::string("mkdir ") + path);
  if (mount(type, path, type, MS_NOSUID | MS_NOEXEC, nullptr) != 0) return fail_errno(std::string("mount ") + path);
  return {};
}

// The kernel found none for PID 1: /dev was empty.
Result<> open_console() {
  Fd console(open("/dev/console", O_RDWR | O_NOCTTY));
  if (!console.valid()) return fail_errno("open /dev/console");
  for (int fd : {0, 1, 2}) {
    if (dup2(console.get(), fd) < 0) return fail_errno("dup2");
  }
  if (console.get() <= 2) (void)console.release();
  return {};
}

// At most `limit` bytes; files of /sys and of the image.
Result<std::string> read_small(const std::string& path, size_t limit) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno("open " + path);
  std::string text(limit, '\0');
  const ssize_t got = read(file.get(), text.data(), text.size());
  if (got < 0) return fail_errno("read " + path);
  text.resize(static_cast<size_t>(got));
  return text;
}

Result<> load(const std::string& module) {
  const std::string path = std::string(kModuleFolder) + "/" + module;
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno("open " + path);
  if (syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST) return fail_errno("load " + path);
  return {};
}

Result<> load_modules() {
  TRY_ASSIGN(const std::string order, read_small(kModuleOrder, kMaxOrder));
  for (size_t at = 0; at < order.size();) {
    const size_t end = std::min(order.find('\n', at), order.size());
    if (end > at) TRY(load(order.substr(at, end - at)));
    at = end + 1;
  }
  return {};
}

// The control port's device is named by number; its own name is in /sys.
std::optional<std::string> find_control_port() {
  constexpr const char* kPorts = "/sys/class/virtio-ports";
  DIR* entries = opendir(kPorts);
  if (entries == nullptr) return std::nullopt;
  std::optional<std::string> found;
  while (const dirent* entry = readdir(entries)) {
    const auto name = read_small(std::string(kPorts) + "/" + entry->d_name + "/name", 64);
    if (name && *name == std::string(kControlPort) + "\n") found = std::string("/dev/") + entry->d_name;
  }
  closedir(entries);
  return found;
}

// Looks until there is one: the kernel finds devices in its own time.
template <typename Look>
auto wait_for(const char* what, Look look) -> Result<typename decltype(look())::value_type> {
  const auto until = steady_clock::now() + std::chrono::seconds(kDeviceSeconds);
  for (;;) {
    if (auto found = look()) return *std::move(found);
    if (steady_clock::now() > until) return fail(Kind::timeout, std::string("the machine has no ") + what);
    std::this_thread::sleep_for(kLookEvery);
  }
}

Result<uint32_t> set_up_nic(kernel::Netlink& netlink, const char* what, const kernel::Mac& mac) {
  const auto look = [&]() -> std::optional<uint32_t> {
    auto links = netlink.links();
    if (!links) return std::nullopt;
    for (const auto& link : *links) {
      if (link.mac == mac) return link.ifindex;
    }
    return std::nullopt;
  };
  TRY_ASSIGN(const uint32_t ifindex, wait_for(what, look));
  kernel::Batch batch;
  batch.up(ifindex);
  TRY(netlink.run(batch));
  return ifindex;
}

}  // namespace

Result<> say_that_it_works() {
  TRY(mount_one("devtmpfs", "/dev"));
  TRY(open_console());
  std::puts(kMachineWorks);
  return {};
}

Result<Machine> set_up_machine() {
  TRY(mount_one("devtmpfs", "/dev"));
  TRY(open_console());
  TRY(mount_one("proc", "/proc"));
  TRY(mount_one("sysfs", "/sys"));
  TRY(mount_one("bpf", "/sys/fs/bpf"));
  if (mkdir(kMachinePins, 0700) != 0) return fail_errno(std::string("mkdir ") + kMachinePins);
  TRY(load_modules());
  TRY(kernel::disable_ipv6());
  TRY_ASSIGN(auto netlink, kernel::Netlink::open());
  Machine machine;
  TRY_ASSIGN(machine.nic0, set_up_nic(netlink, "NIC 0", kNic0Mac));
  TRY_ASSIGN(machine.nic1, set_up_nic(netlink, "NIC 1", kNic1Mac));
  TRY_ASSIGN(const std::string port, wait_for("control port", find_control_port));
  machine.control = Fd(open(port.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!machine.control.valid()) return fail_errno("open " + port);
  return machine;
}

}  // namespace hearth::gateway
