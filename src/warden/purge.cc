#include "warden/purge.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "kernel/cgroup.h"

namespace hearth::warden {

Result<Fd> lock_instance(const std::string& run_dir) {
  if (mkdir(run_dir.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + run_dir);
  std::string path = run_dir + "/warden.lock";
  Fd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return fail_errno("open " + path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(Kind::conflict, "a hearth-warden of this instance runs");
    return fail_errno("flock " + path);
  }
  return lock;
}

Result<> purge(const std::string& cgroup_root, const gateway::FunctionNetwork::Options& network) {
  TRY_ASSIGN(auto cgroups, kernel::CgroupHost::open(cgroup_root, network.instance));
  TRY_ASSIGN(auto names, cgroups.list());
  for (const auto& name : names) TRY(cgroups.purge(name));
  TRY(cgroups.remove_parents());
  TRY(gateway::FunctionNetwork::purge(network));
  TRY(kernel::relax_rcu(kRcuFolder, network.instance));
  std::error_code error;
  std::filesystem::remove_all(network.run_dir, error);
  if (error) return fail_errno("remove " + network.run_dir, error.value());
  return {};
}

}  // namespace hearth::warden
