#include "kernel/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <string_view>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace hearth::kernel {

Result<Process> fork_process(uint64_t clone_flags) {
  int pidfd = -1;
  clone_args args{};
  args.flags = clone_flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0) return fail_errno("clone3");
  if (pid == 0) return Process{};
  return Process{static_cast<pid_t>(pid), Fd(pidfd)};
}

Result<Fd> open_pidfd(pid_t pid) {
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return fail_errno(fmt::format("pidfd_open {}", pid));
  return pidfd;
}

Result<> send_signal(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0) return fail_errno("pidfd_send_signal");
  return {};
}

Result<std::optional<Ending>> reap(int pidfd) {
  siginfo_t info{};
  int result = -1;
  do {
    result = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == ECHILD) return fail(Kind::not_found, "the process is no child of ours");
  if (result != 0) return fail_errno("waitid");
  if (info.si_pid == 0) return std::optional<Ending>();
  return std::optional(Ending{info.si_code != CLD_EXITED, info.si_status});
}

Result<bool> reap_group(pid_t group) {
  for (;;) {
    siginfo_t info{};
    int result = waitid(P_PGID, static_cast<id_t>(group), &info, WEXITED | WNOHANG);
    if (result != 0 && errno == EINTR) continue;
    if (result != 0 && errno == ECHILD) return false;
    if (result != 0) return fail_errno("waitid");
    if (info.si_pid == 0) return true;
  }
}

Result<bool> has_ended(int pidfd) {
  pollfd entry{pidfd, POLLIN, 0};
  int ready = poll(&entry, 1, 0);
  if (ready < 0) return fail_errno("poll");
  return ready > 0;
}

Result<uint64_t> start_time(pid_t pid) {
  TRY_ASSIGN(std::string stat, read_file(AT_FDCWD, fmt::format("/proc/{}/stat", pid)));
  // The command's name, in parentheses, may hold anything: fields are counted after the last one. Start time is the
  // 22nd field, the 20th after the name.
  size_t at = stat.rfind(')');
  for (int field = 0; field < 20 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  uint64_t ticks = 0;
  if (at == std::string::npos ||
      std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks).ec != std::errc()) {
    return fail(Kind::internal, fmt::format("/proc/{}/stat has another form", pid));
  }
  return ticks;
}

Result<Fd> open_namespace(pid_t pid, const std::string& type) {
  std::string path = fmt::format("/proc/{}/ns/{}", pid, type);
  Fd opened(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.valid()) return fail_errno("open " + path);
  return opened;
}

Result<> write_file(int directory, const std::string& name, const std::string& text) {
  Fd file(openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno("open " + name);
  ssize_t written = write(file.get(), text.data(), text.size());
  if (written < 0) return fail_errno("write " + name);
  if (static_cast<size_t>(written) != text.size()) return fail(Kind::internal, "short write to " + name);
  return {};
}

Result<std::string> read_file(int directory, const std::string& name, size_t max_bytes) {
  Fd file(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno("open " + name);
  std::string text(max_bytes, '\0');
  size_t filled = 0;
  while (filled < max_bytes) {
    ssize_t got = read(file.get(), text.data() + filled, max_bytes - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  text.resize(filled);
  return text;
}

}  // namespace hearth::kernel
