#include "container/zygote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "container/root_template.h"
#include "container/seccomp_policy.h"
#include "kernel/unix_socket.h"

namespace hearth::container {
namespace {

constexpr size_t kMaxAnswer = 1024;

// In the new process: descriptors in place, root entered, program executed. Returns only why not.
Error become_zygote(const RuntimeSpec& runtime, const std::string& staging, std::array<int, 3> fds) {
  // Above all targets first, so that no dup2 closes what the next one needs.
  for (int& fd : fds) {
    fd = fcntl(fd, F_DUPFD, 10);
    if (fd < 0) return fail_errno("dup").error();
  }
  const std::array<int, 3> targets = {kZygoteSocket, kSeccompProgram, kHomeNetwork};
  for (size_t i = 0; i < fds.size(); ++i) {
    if (dup2(fds[i], targets[i]) < 0) return fail_errno("dup2").error();
  }
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (dup2(null.get(), 0) < 0 || dup2(null.get(), 1) < 0) return fail_errno("dup2 /dev/null").error();
  if (syscall(SYS_close_range, kHomeNetwork + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    return fail_errno("close_range").error();
  if (setpgid(0, 0) != 0) return fail_errno("setpgid").error();
  if (unshare(CLONE_NEWNS) != 0) return fail_errno("unshare").error();
  if (auto entered = enter_root({staging, runtime.shim_folder, runtime.runtime_folder}); !entered)
    return entered.error();
  std::vector<char*> arguments;
  for (const auto& argument : runtime.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::string library_path = std::string("LD_LIBRARY_PATH=") + kLibraryPath;
  std::array<char*, 4> environment = {const_cast<char*>("PATH=/usr/local/bin:/usr/bin:/bin"),
                                      const_cast<char*>("LANG=C.UTF-8"), library_path.data(), nullptr};
  execve(arguments[0], arguments.data(), environment.data());
  return fail_errno("execve " + runtime.command[0]).error();
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGTERM, SIGINT, SIGPIPE, SIGCHLD, SIGHUP}) signal(number, SIG_DFL);
}

}  // namespace

Result<Fd> filter_file() {
  TRY_ASSIGN(auto program, function_filter());
  if (program.size() > kMaxSeccompInstructions) return fail(Kind::internal, "the seccomp program is too long");
  Fd file(memfd_create("function-filter", MFD_CLOEXEC));
  if (!file.valid()) return fail_errno("memfd_create");
  size_t size = program.size() * sizeof(sock_filter);
  if (write(file.get(), program.data(), size) != static_cast<ssize_t>(size)) return fail_errno("write filter");
  return file;
}

Result<std::unique_ptr<Zygote>> Zygote::start(const RuntimeSpec& runtime, const std::string& staging, int filter,
                                              const kernel::HomeNamespaces& home) {
  if (mkdir(staging.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir " + staging);
  TRY_ASSIGN(auto ends, kernel::seqpacket_pair());
  TRY_ASSIGN(auto process, kernel::fork_process());
  if (process.pid == 0) {
    reset_signals();
    Error error = become_zygote(runtime, staging, {ends.second.get(), filter, home.network()});
    std::string text = error.describe();
    (void)send(kZygoteSocket, text.data(), text.size(), MSG_NOSIGNAL);
    _exit(1);
  }
  return std::unique_ptr<Zygote>(new Zygote(std::move(process), std::move(ends.first)));
}

Zygote::~Zygote() {
  (void)kernel::send_signal(process_.pidfd.get(), SIGKILL);
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(process_.pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

Result<> Zygote::request(const SpawnRequest& request, std::span<const int> fds) {
  std::string_view bytes(reinterpret_cast<const char*>(&request), sizeof(request));
  TRY(kernel::send_datagram(socket_.get(), bytes, fds, MSG_DONTWAIT));
  ++asked_;
  ++unanswered_;
  return {};
}

Result<std::optional<Zygote::Event>> Zygote::receive() {
  auto datagram = kernel::receive_datagram(socket_.get(), kMaxAnswer, 1, MSG_DONTWAIT);
  if (!datagram && datagram.error().errno_value == EAGAIN) return std::optional<Event>();
  if (!datagram) return std::unexpected(std::move(datagram).error());
  if (datagram->bytes == kZygoteHello) return std::optional<Event>(Loaded{});
  if (datagram->bytes.size() != sizeof(SpawnReply)) {
    return fail(Kind::unavailable, "the zygote has ended: " + datagram->bytes);
  }
  Answer answer;
  std::memcpy(&answer.reply, datagram->bytes.data(), sizeof(answer.reply));
  if (!datagram->fds.empty()) answer.pidfd = std::move(datagram->fds[0]);
  if ((answer.reply.error == 0) != answer.pidfd.valid()) return fail(Kind::unavailable, "the zygote answered nonsense");
  --unanswered_;
  return std::optional<Event>(std::move(answer));
}

}  // namespace hearth::container
