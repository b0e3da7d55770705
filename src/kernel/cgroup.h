// Cgroups of one instance: `<instance>/<name>` in every hierarchy that is needed, on cgroup v1, v2, or a host with
// both.
//
// CgroupHost finds out once which of the two carries the memory controller and makes the instance's parent directory.
// Cgroup is one container's: its limits, its members. It holds no descriptor, since there are thousands. Destroying the
// object leaves the kernel's directories alone, so that containers outlive their warden; remove() deletes them.
//
// On v1 moving a process between cgroups waits for an RCU grace period, 4–15 ms; with /sys/kernel/rcu_expedited it
// takes 0.2 ms (expedite_rcu).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

enum class CgroupVersion { v1, v2 };

class Cgroup;

// Where the instance's cgroups are in one hierarchy.
struct CgroupHierarchy {
  std::string controller;  // "memory", "pids", "cpu", "freezer"; "" on v2
  std::string path;        // of the instance's directory
  Fd directory;
};
using CgroupHierarchies = std::shared_ptr<const std::vector<CgroupHierarchy>>;

class CgroupHost {
 public:
  // `root`: where cgroups are mounted ("/sys/fs/cgroup").
  static Result<CgroupHost> open(const std::string& root, const std::string& instance);

  CgroupVersion version() const { return version_; }
  // Makes the cgroup `name` or takes over the one that is there.
  Result<Cgroup> make(const std::string& name) const;
  // Names of the instance's cgroups that exist.
  Result<std::vector<std::string>> list() const;
  // Kills what is in `name` and deletes it; what does not exist is no error. Waits at most 5 s for the processes' end.
  Result<> purge(const std::string& name) const;
  // The same without waiting: Kind::conflict while processes are left.
  Result<> try_purge(const std::string& name) const;
  // Deletes the instance's parent directories. REQUIRES: list() is empty.
  Result<> remove_parents() const;

 private:
  CgroupHost(CgroupVersion version, CgroupHierarchies hierarchies)
      : version_(version), hierarchies_(std::move(hierarchies)) {}

  CgroupVersion version_;
  CgroupHierarchies hierarchies_;
};

// Expedited RCU grace periods for as long as an instance wants them; what the host had before comes back with the last.
//
// `folder` (shared by all instances of the host) holds the value from before and one file an instance, so that neither
// a kill nor a second instance loses it.
Result<> expedite_rcu(const std::string& folder, const std::string& instance);
// Undoes expedite_rcu; no error when it was not done.
Result<> relax_rcu(const std::string& folder, const std::string& instance);

class Cgroup {
 public:
  Result<> add(pid_t pid) const;
  Result<> limit_pids(int64_t count) const;
  // `mib` of memory and no swap; weight 1,024 a full CPU.
  Result<> limit_memory(int64_t mib) const;
  Result<> weigh_cpu(int64_t weight) const;
  Result<> freeze(bool frozen) const;
  // A descriptor that tells once that more than `bytes` are in use: readable on v1, urgent (EPOLLPRI) on v2. On v1 it
  // costs a grace period of RCU, and says nothing when they are in use already.
  Result<Fd> memory_alarm(int64_t bytes) const;
  // What the alarm slows down on v2 goes on at full speed.
  Result<> silence_memory_alarm() const;
  Result<int64_t> used_memory() const;
  // Bytes of the processes themselves and the kernel's for them, without files and tmpfs.
  Result<int64_t> own_memory() const;
  Result<bool> ran_out_of_memory() const;
  // A file with the highest memory use in bytes.
  Result<Fd> peak_memory() const;
  CgroupVersion version() const { return version_; }
  // The directory for CLONE_INTO_CGROUP. REQUIRES: v2.
  Result<Fd> directory() const;
  // Deletes the directories. Kind::conflict while a process is left.
  Result<> remove() const;
  const std::string& name() const { return name_; }

 private:
  friend class CgroupHost;
  Cgroup(CgroupVersion version, CgroupHierarchies hierarchies, std::string name)
      : version_(version), hierarchies_(std::move(hierarchies)), name_(std::move(name)) {}
  const CgroupHierarchy& of(const char* controller) const;
  Result<> write(const char* controller, const char* file, const std::string& text) const;
  Result<std::string> read(const char* controller, const char* file) const;

  CgroupVersion version_;
  CgroupHierarchies hierarchies_;
  std::string name_;
};

}  // namespace hearth::kernel
