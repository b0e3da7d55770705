// Mounts by descriptor: detached trees, their attributes, and where they go.
//
// A *tree* is the descriptor of a detached mount (open_tree with OPEN_TREE_CLONE, or fsmount): nobody sees it until it
// is attached; closing it before that dissolves it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace hearth::kernel {

// The directory or file `name`, one component or a path, strictly beneath `directory`: no symlink, no "..", no magic
// link is followed. O_PATH | O_DIRECTORY.
Result<Fd> open_directory_beneath(int directory, const std::string& name);

enum class Depth { one, recursive };
Result<Fd> clone_tree(int at, const std::string& path, Depth depth);

// `attributes`: MOUNT_ATTR_…, set on the tree (and below it when recursive).
Result<> set_attributes(int tree, uint64_t attributes, Depth depth);
// The same for what is mounted at `path` of the current mount namespace.
Result<> set_attributes_at(const std::string& path, uint64_t attributes, Depth depth);

Result<> attach_tree(int tree, const std::string& path);

// The read-only union of directories as a tree, the last one on top. REQUIRES: 2…8 directories.
Result<Fd> union_tree(std::span<const Fd> directories);

// Changes the size of the tmpfs mounted at `path` of the current mount namespace.
Result<> resize_tmpfs(const std::string& path, int64_t mib);

// Makes no mount of this namespace propagate anywhere.
Result<> make_mounts_private();
// Makes `path` the root of the current mount namespace and lets go of the old one.
Result<> pivot_to(const std::string& path);

}  // namespace hearth::kernel
