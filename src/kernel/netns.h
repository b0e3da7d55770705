// Network namespaces: make, keep by a bind mount, find again, work inside.
//
// A namespace lives as long as a descriptor, a process or a bind mount of it does. Functions here change the calling
// thread's network namespace for their duration and put it back; a thread that can't get back aborts, for it would
// go on in a tenant's network.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

// Enters a namespace for its own life.
class NetnsScope {
 public:
  static Result<NetnsScope> enter(int netns);
  NetnsScope(NetnsScope&&) = default;
  NetnsScope& operator=(NetnsScope&&) = delete;
  ~NetnsScope();

 private:
  explicit NetnsScope(Fd home) : home_(std::move(home)) {}
  Fd home_;
};

Result<Fd> current_netns();
// A new one, with nothing in it but `lo`, down.
Result<Fd> make_netns();
Result<Fd> open_netns(const std::string& path);
// Binds it at `path`, a file that is made; conflict when something is mounted there.
Result<> keep_netns(int netns, const std::string& path);
// Opens what is kept at `path`, or makes a namespace, runs `prepare` inside and keeps it there.
Result<Fd> open_or_make_netns(const std::string& path, const std::function<Result<>()>& prepare);
// Takes the mount and the file away; fine when they are not there.
Result<> forget_netns(const std::string& path);

// Writes a value below /proc/sys of the thread's namespace; `name` is "net/ipv4/ip_forward". A missing file is
// not_found.
Result<> write_sysctl(const std::string& name, const std::string& value);
Result<std::string> read_sysctl(const std::string& name);
// No IPv6 on interfaces that are made from now on in the thread's namespace. Fine when the kernel has none.
Result<> disable_ipv6();
Result<> disable_ipv6_of(const std::string& interface);

// mkdir -p, mode 0755.
Result<> make_directories(const std::string& path);

}  // namespace hearth::kernel
