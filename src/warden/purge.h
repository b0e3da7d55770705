// Purge: removes everything that an instance's warden has made on this host, whoever still runs of it.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "gateway/function_network.h"

namespace hearth::warden {

// Held for as long as a warden of the instance runs. Kind::conflict when one does.
Result<Fd> lock_instance(const std::string& run_dir);

// Where instances say that they want expedited RCU (kernel/cgroup.h).
constexpr const char* kRcuFolder = "/run/hearth-rcu";

// Works after kill -9 of everything; what is not there is no error. REQUIRES: lock_instance.
Result<> purge(const std::string& cgroup_root, const gateway::FunctionNetwork::Options& network);

}  // namespace hearth::warden
