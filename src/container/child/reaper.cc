#include "container/child/reaper.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "container/child/sandbox.h"
#include "container/zygote_protocol.h"

namespace hearth::container {
namespace {

volatile pid_t shim_pid = 0;

void forward_to_shim(int signal) {
  if (shim_pid > 0) kill(shim_pid, signal);
}

[[noreturn]] void reap_until_shim_ends() {
  for (;;) {
    int status = 0;
    pid_t ended = wait4(-1, &status, 0, nullptr);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0) _exit(1);
    if (ended != shim_pid) continue;
    char text[48];
    int length = snprintf(text, sizeof(text), "{\"exited\":%d}", status);
    // Without a warden nobody is left to tell.
    (void)send(kControlSocket, text, static_cast<size_t>(length), MSG_NOSIGNAL | MSG_DONTWAIT);
    _exit(0);
  }
}

void become_function() {
  signal(SIGTERM, SIG_DFL);
  if (setresuid(kFunctionUser, kFunctionUser, kFunctionUser) != 0) give_up(kControlSocket, "setresuid", errno);
  // A process that is not dumpable does not own its /proc/self, and so could not open /dev/stderr.
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) give_up(kControlSocket, "dumpable", errno);
}

}  // namespace

void become_init() {
  signal(SIGTERM, forward_to_shim);
  signal(SIGINT, SIG_DFL);
  signal(SIGCHLD, SIG_DFL);
  prctl(PR_SET_NAME, "hearth-init", 0, 0, 0);
  pid_t pid = fork();
  if (pid < 0) give_up(kControlSocket, "fork", errno);
  if (pid == 0) return become_function();
  shim_pid = pid;
  // Only fd 3 stays: the log pipe must close when the function's processes are gone.
  close(0);
  close(1);
  close(2);
  reap_until_shim_ends();
}

}  // namespace hearth::container
