// The root file system that a zygote lives in and every container of it gets a copy of (of the mounts, not the files).
//
// A tmpfs with mount points, symbolic links, device nodes and a small /etc, read-only, and read-only binds of the
// host's /usr, certificates and alternatives. Made once a zygote, so that a container mounts only what is its own:
// /proc, /tmp, /run, /dev/shm. What the container may write is none of this.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::container {

struct RootSpec {
  std::string staging;         // an existing empty directory of the host to build at
  std::string shim_folder;     // becomes kShimFolder
  std::string runtime_folder;  // becomes kRuntimeFolder; need not exist
};

// Builds the tree in the calling process's mount namespace and makes it its root.
// REQUIRES: root, a single-threaded process in a mount namespace of its own.
Result<> enter_root(const RootSpec& spec);

}  // namespace hearth::container
