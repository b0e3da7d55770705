#include "kernel/bpf.h"

#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>

#include "kernel/netns.h"

namespace hearth::kernel {
namespace {

constexpr size_t kMaxWords = 512;
char last_words[kMaxWords];

int keep_words(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  return std::vsnprintf(last_words, sizeof last_words, format, arguments);
}

}  // namespace

Result<> mount_bpf_fs(const std::string& path) {
  TRY(make_directories(path));
  struct statfs fs{};
  if (statfs(path.c_str(), &fs) != 0) return fail_errno("statfs " + path);
  if (fs.f_type == BPF_FS_MAGIC) return {};
  if (mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
    return fail_errno("mount bpf file system at " + path);
  return {};
}

Result<> unmount_bpf_fs(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) return fail_errno("umount " + path);
  if (rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno("rmdir " + path);
  return {};
}

void quiet_libbpf() { libbpf_set_print(keep_words); }

std::string libbpf_words() {
  std::string words = last_words;
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

int possible_cpus() { return libbpf_num_possible_cpus(); }

}  // namespace hearth::kernel
