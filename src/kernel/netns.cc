#include "kernel/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdlib>

namespace hearth::kernel {
namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

}  // namespace

Result<Fd> current_netns() { return open_netns(kOwnNetns); }

Result<NetnsScope> NetnsScope::enter(int netns) {
  TRY_ASSIGN(Fd home, current_netns());
  if (setns(netns, CLONE_NEWNET) != 0) return fail_errno("setns(network namespace)");
  return NetnsScope(std::move(home));
}

NetnsScope::~NetnsScope() {
  if (home_.valid() && setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

Result<Fd> make_netns() {
  TRY_ASSIGN(Fd home, current_netns());
  if (unshare(CLONE_NEWNET) != 0) return fail_errno("unshare(network namespace)");
  auto made = current_netns();
  if (setns(home.get(), CLONE_NEWNET) != 0) std::abort();
  return made;
}

Result<Fd> open_netns(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open " + path);
  struct statfs fs{};
  if (fstatfs(fd.get(), &fs) != 0) return fail_errno("fstatfs " + path);
  // The file stays when its mount is gone.
  if (fs.f_type != NSFS_MAGIC) return fail(Kind::not_found, path + " is no namespace");
  return fd;
}

Result<> keep_netns(int netns, const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0444));
  if (!file.valid()) return fail_errno("create " + path);
  if (open_netns(path)) return fail(Kind::conflict, path + " holds a namespace already");
  const std::string source = "/proc/self/fd/" + std::to_string(netns);
  if (mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail_errno("bind " + path);
  return {};
}

Result<Fd> open_or_make_netns(const std::string& path, const std::function<Result<>()>& prepare) {
  if (auto kept = open_netns(path)) return kept;
  TRY_ASSIGN(Fd netns, make_netns());
  {
    TRY_ASSIGN(auto inside, NetnsScope::enter(netns.get()));
    TRY(prepare());
  }
  TRY(keep_netns(netns.get(), path));
  return netns;
}

Result<> forget_netns(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) return fail_errno("umount " + path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + path);
  return {};
}

Result<> write_sysctl(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/" + name;
  Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open " + path);
  if (write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno("write " + path);
  return {};
}

Result<std::string> read_sysctl(const std::string& name) {
  const std::string path = "/proc/sys/" + name;
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open " + path);
  char text[256];
  const ssize_t size = read(fd.get(), text, sizeof text);
  if (size < 0) return fail_errno("read " + path);
  std::string value(text, static_cast<size_t>(size));
  while (!value.empty() && (value.back() == '\n' || value.back() == ' ')) value.pop_back();
  return value;
}

Result<> disable_ipv6() { return disable_ipv6_of("default"); }

Result<> disable_ipv6_of(const std::string& interface) {
  auto done = write_sysctl("net/ipv6/conf/" + interface + "/disable_ipv6", "1");
  if (!done && done.error().kind == Kind::not_found) return {};
  return done;
}

Result<> make_directories(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + part);
    if (at == std::string::npos) return {};
  }
}

}  // namespace hearth::kernel
