// The mounts that give a warm container its function: code on /var/task, layers on /opt, resolv.conf, the size of /tmp.
//
// All trees are cloned and made read-only before the visit to the container, so that a package that is missing changes
// nothing there. REQUIRES: no function code has run in the container: its paths are then still ours.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "kernel/namespaces.h"

namespace hearth::container {

constexpr int64_t kDefaultTmpMib = 512;

struct FunctionFiles {
  PackageDigest package;
  std::vector<PackageDigest> layers;
  std::vector<std::string> nameservers;
  int64_t tmp_mib = kDefaultTmpMib;
};

// `packages`: the folder of packages; each is a directory with the digest as its name. `pidfd`: of the container's
// PID 1.
Result<> mount_function(const FunctionFiles& files, int packages, int pidfd, const kernel::HomeNamespaces& home);

}  // namespace hearth::container
