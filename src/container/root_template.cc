#include "container/root_template.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "container/zygote_protocol.h"
#include "kernel/mount.h"
#include "kernel/process.h"

extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*);

namespace hearth::container {
namespace {

// The dynamic linker never looks again into a folder of LD_LIBRARY_PATH that a zygote lacked: those of functions and
// layers, where they will be mounted, are there from the start.
constexpr std::array kFolders = {"usr",          "etc",         "etc/ssl",    "etc/ssl/certs", "etc/alternatives",
                                 "proc",         "dev",         "dev/shm",    "sys",           "tmp",
                                 "run",          "opt",         "opt/lib",    "var",           "var/task",
                                 "var/task/lib", "var/runtime", "var/hearth", "var/lib",       "home"};

constexpr std::array<std::pair<const char*, const char*>, 10> kLinks = {{{"bin", "usr/bin"},
                                                                         {"sbin", "usr/sbin"},
                                                                         {"lib", "usr/lib"},
                                                                         {"lib64", "usr/lib64"},
                                                                         {"etc/resolv.conf", "/run/resolv.conf"},
                                                                         {"etc/mtab", "/proc/self/mounts"},
                                                                         {"dev/fd", "/proc/self/fd"},
                                                                         {"dev/stdin", "/proc/self/fd/0"},
                                                                         {"dev/stdout", "/proc/self/fd/1"},
                                                                         {"dev/stderr", "/proc/self/fd/2"}}};

constexpr std::array<std::pair<const char*, const char*>, 4> kTexts = {
    {{"etc/passwd",
      "root:x:0:0:root:/root:/usr/sbin/nologin\n"
      "sbx_user1051:x:993:990::/tmp:/usr/sbin/nologin\n"
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
     {"etc/group", "root:x:0:\nsbx_user1051:x:990:\nnogroup:x:65534:\n"},
     {"etc/hosts", "127.0.0.1 localhost function\n"},
     {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"}}};

// Files of the host's /etc that libraries read; one that is missing stays missing.
constexpr std::array kCopies = {"etc/ld.so.cache", "etc/ssl/openssl.cnf", "etc/services", "etc/protocols",
                                "etc/localtime"};
constexpr size_t kMaxCopy = 4UL * 1024 * 1024;

struct Device {
  const char* path;
  unsigned major;
  unsigned minor;
};
constexpr std::array<Device, 5> kDevices = {
    {{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}}};

Result<> write_text(const std::string& path, std::string_view text) {
  Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid()) return fail_errno("create " + path);
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno("write " + path);
  return {};
}

Result<> make_files(const std::string& root) {
  for (const char* folder : kFolders) {
    if (mkdir((root + "/" + folder).c_str(), 0755) != 0) return fail_errno(std::string("mkdir ") + folder);
  }
  for (const auto& [link, target] : kLinks) {
    if (symlink(target, (root + "/" + link).c_str()) != 0) return fail_errno(std::string("symlink ") + link);
  }
  for (const auto& [path, text] : kTexts) TRY(write_text(root + "/" + path, text));
  for (const char* path : kCopies) {
    auto text = kernel::read_file(AT_FDCWD, std::string("/") + path, kMaxCopy);
    if (!text && text.error().errno_value == ENOENT) continue;
    if (!text) return std::unexpected(std::move(text).error());
    TRY(write_text(root + "/" + path, *text));
  }
  return {};
}

Result<> make_devices(const std::string& root) {
  for (const auto& device : kDevices) {
    std::string path = root + "/" + device.path;
    if (mknod(path.c_str(), S_IFCHR | 0666, makedev(device.major, device.minor)) != 0)
      return fail_errno("mknod " + path);
    if (chmod(path.c_str(), 0666) != 0) return fail_errno("chmod " + path);
  }
  return {};
}

Result<> bind_read_only(const std::string& from, const std::string& to) {
  TRY_ASSIGN(Fd tree, kernel::clone_tree(AT_FDCWD, from, kernel::Depth::recursive));
  TRY(kernel::set_attributes(tree.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                             kernel::Depth::recursive));
  return kernel::attach_tree(tree.get(), to);
}

Result<> bind_if_there(const std::string& from, const std::string& to) {
  if (access(from.c_str(), F_OK) != 0) return {};
  return bind_read_only(from, to);
}

// A user namespace may mount its own /proc only where a whole one is in sight. This one is of a process namespace that
// has ended: containers cover it, and even uncovered it would show no process.
Result<> mount_empty_proc(const std::string& path) {
  TRY_ASSIGN(auto child, kernel::fork_process(CLONE_NEWPID));
  if (child.pid == 0) _exit(mount("proc", path.c_str(), "proc", 2 | 4 | 8, nullptr) == 0 ? 0 : errno);
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED) != 0) {
    if (errno != EINTR) return fail_errno("waitid");
  }
  if (info.si_code != CLD_EXITED || info.si_status != 0) return fail_errno("mount proc", info.si_status);
  return {};
}

}  // namespace

Result<> enter_root(const RootSpec& spec) {
  TRY(kernel::make_mounts_private());
  const std::string& root = spec.staging;
  umask(022);
  if (mount("tmpfs", root.c_str(), "tmpfs", 2 /* MS_NOSUID */, "mode=0755,size=16m") != 0) {
    return fail_errno("mount tmpfs at " + root);
  }
  TRY(make_files(root));
  TRY(make_devices(root));
  TRY(bind_read_only("/usr", root + "/usr"));
  TRY(bind_if_there("/etc/ssl/certs", root + "/etc/ssl/certs"));
  TRY(bind_if_there("/etc/alternatives", root + "/etc/alternatives"));
  TRY(bind_read_only(spec.shim_folder, root + kShimFolder));
  TRY(bind_if_there(spec.runtime_folder, root + kRuntimeFolder));
  TRY(mount_empty_proc(root + "/proc"));
  TRY(kernel::set_attributes_at(root, MOUNT_ATTR_RDONLY, kernel::Depth::one));
  return kernel::pivot_to(root);
}

}  // namespace hearth::container
