#include "kernel/mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

// <sys/mount.h> clashes with <linux/mount.h>; these two calls are all that is needed of it.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*);
extern "C" int umount2(const char*, int);

namespace hearth::kernel {
namespace {

constexpr int kDetach = 2;  // MNT_DETACH

Result<> set_attributes_of(int at, const char* path, uint64_t attributes, unsigned flags) {
  mount_attr change{};
  change.attr_set = attributes;
  if (syscall(SYS_mount_setattr, at, path, flags, &change, sizeof(change)) != 0) return fail_errno("mount_setattr");
  return {};
}

Result<> configure(int context, unsigned command, const char* key, const char* value) {
  if (syscall(SYS_fsconfig, context, command, key, value, 0) != 0) {
    return fail_errno(fmt::format("fsconfig {}", key == nullptr ? "create" : key));
  }
  return {};
}

}  // namespace

Result<Fd> open_directory_beneath(int directory, const std::string& name) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  Fd opened(static_cast<int>(syscall(SYS_openat2, directory, name.c_str(), &how, sizeof(how))));
  if (!opened.valid()) return fail_errno("openat2 " + name);
  return opened;
}

Result<Fd> clone_tree(int at, const std::string& path, Depth depth) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  if (depth == Depth::recursive) flags |= AT_RECURSIVE;
  Fd tree(static_cast<int>(syscall(SYS_open_tree, at, path.c_str(), flags)));
  if (!tree.valid()) return fail_errno("open_tree " + path);
  return tree;
}

Result<> set_attributes(int tree, uint64_t attributes, Depth depth) {
  return set_attributes_of(tree, "", attributes, AT_EMPTY_PATH | (depth == Depth::recursive ? AT_RECURSIVE : 0U));
}

Result<> set_attributes_at(const std::string& path, uint64_t attributes, Depth depth) {
  return set_attributes_of(AT_FDCWD, path.c_str(), attributes, depth == Depth::recursive ? AT_RECURSIVE : 0U);
}

Result<> attach_tree(int tree, const std::string& path) {
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return fail_errno("move_mount " + path);
  }
  return {};
}

Result<Fd> union_tree(std::span<const Fd> directories) {
  std::string lower;
  for (auto at = directories.rbegin(); at != directories.rend(); ++at) {
    if (!lower.empty()) lower += ':';
    lower += fmt::format("/proc/self/fd/{}", at->get());
  }
  Fd context(static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!context.valid()) return fail_errno("fsopen overlay");
  TRY(configure(context.get(), FSCONFIG_SET_STRING, "lowerdir", lower.c_str()));
  TRY(configure(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr));
  Fd tree(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!tree.valid()) return fail_errno("fsmount overlay");
  return tree;
}

Result<> resize_tmpfs(const std::string& path, int64_t mib) {
  Fd context(static_cast<int>(syscall(SYS_fspick, AT_FDCWD, path.c_str(), FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT)));
  if (!context.valid()) return fail_errno("fspick " + path);
  TRY(configure(context.get(), FSCONFIG_SET_STRING, "size", fmt::format("{}m", mib).c_str()));
  return configure(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr);
}

Result<> make_mounts_private() {
  mount_attr change{};
  change.propagation = 1UL << 18;  // MS_PRIVATE
  if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &change, sizeof(change)) != 0) {
    return fail_errno("mount_setattr private");
  }
  return {};
}

Result<> pivot_to(const std::string& path) {
  if (chdir(path.c_str()) != 0) return fail_errno("chdir " + path);
  // Both roots at one place: the old one lies above the new one and is let go of there.
  if (syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno("pivot_root " + path);
  if (umount2(".", kDetach) != 0) return fail_errno("umount old root");
  if (chdir("/") != 0) return fail_errno("chdir /");
  return {};
}

}  // namespace hearth::kernel
