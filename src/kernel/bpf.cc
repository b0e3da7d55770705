#include "kernel/bpf.h"

#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "kernel/netlink.h"
#include "kernel/netns.h"

namespace hearth::kernel {
namespace {

// Of linux/bpf.h since 6.6, newer than the headers that we build with.
constexpr uint32_t kTcxIngress = 46;
constexpr uint32_t kTcxEgress = 47;
constexpr uint32_t kReplace = 1u << 2;

struct AttachCommand {
  uint32_t ifindex;
  uint32_t program;
  uint32_t type;
  uint32_t flags;
  uint32_t replaced;
  uint32_t relative;
  uint64_t revision;
};
struct QueryCommand {
  uint32_t ifindex;
  uint32_t type;
  uint32_t query_flags;
  uint32_t attach_flags;
  uint64_t programs;
  uint32_t count;
  uint32_t pad;
  uint64_t program_flags;
  uint64_t links;
  uint64_t link_flags;
  uint64_t revision;
};

template <typename Command>
int bpf_command(int number, Command& command) {
  return static_cast<int>(syscall(SYS_bpf, number, &command, sizeof command));
}

// The program at the hook now; not valid when there is none.
Result<Fd> program_at(uint32_t ifindex, uint32_t type) {
  uint32_t id = 0;
  QueryCommand query{};
  query.ifindex = ifindex;
  query.type = type;
  query.programs = reinterpret_cast<uint64_t>(&id);
  query.count = 1;
  if (bpf_command(BPF_PROG_QUERY, query) != 0) return fail_errno("query tcx");
  if (query.count == 0) return Fd();
  Fd program(bpf_prog_get_fd_by_id(id));
  if (!program.valid()) return fail_errno("open attached program");
  return program;
}

Result<> attach_tcx(uint32_t ifindex, Hook hook, int program, const std::string& name) {
  AttachCommand command{};
  command.ifindex = ifindex;
  command.program = static_cast<uint32_t>(program);
  command.type = hook == Hook::ingress ? kTcxIngress : kTcxEgress;
  TRY_ASSIGN(const Fd before, program_at(ifindex, command.type));
  if (before.valid()) {
    command.flags = kReplace;
    command.replaced = static_cast<uint32_t>(before.get());
  }
  if (bpf_command(BPF_PROG_ATTACH, command) == 0) return {};
  // A program does not replace itself: it is there.
  if (errno == EEXIST && before.valid()) return {};
  return fail_errno("attach program " + name);
}

constexpr size_t kMaxWords = 512;
constexpr size_t kMaxVerifierWords = 1024;
constexpr size_t kMaxPrinted = size_t{1} << 20;
std::string last_words;
std::string verifier_words;

// The end of what the verifier said: why it refused.
void keep_verifier_log(std::string_view printed) {
  const size_t end = std::min(printed.find("-- END PROG LOAD LOG --"), printed.size());
  const size_t begin = end > kMaxVerifierWords ? end - kMaxVerifierWords : 0;
  verifier_words = printed.substr(begin, end - begin);
}

int keep_words(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::string printed(kMaxPrinted, '\0');
  const int size = std::vsnprintf(printed.data(), printed.size(), format, arguments);
  printed.resize(size < 0 ? 0 : std::min(static_cast<size_t>(size), kMaxPrinted - 1));
  if (printed.find("BEGIN PROG LOAD LOG") != std::string::npos) {
    keep_verifier_log(printed);
  } else {
    last_words = printed.substr(0, kMaxWords);
  }
  return size;
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
  std::string words = verifier_words + last_words;
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

Result<> attach_program(uint32_t ifindex, Hook hook, int program, const std::string& name) {
  auto attached = attach_tcx(ifindex, hook, program, name);
  // EINVAL: the kernel does not know the attach type.
  if (attached || attached.error().errno_value != EINVAL) return attached;
  TRY_ASSIGN(auto netlink, Netlink::open());
  Batch batch;
  batch.clsact(ifindex);
  batch.program(ifindex, hook == Hook::ingress ? Batch::Hook::ingress : Batch::Hook::egress, program, name);
  return netlink.run(batch);
}

int possible_cpus() { return libbpf_num_possible_cpus(); }

}  // namespace hearth::kernel
