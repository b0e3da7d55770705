#include "container/child/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace hearth::container {
namespace {

constexpr rlim_t kOpenFiles = 1024;  // as on AWS
constexpr unsigned long kPrivate = MS_NOSUID | MS_NODEV;

// What /proc shows beyond the container's own processes and has no use in a function. A kernel may lack some.
constexpr const char* kMasked[] = {"/proc/kcore",    "/proc/keys",    "/proc/key-users",     "/proc/kmsg",
                                   "/proc/kallsyms", "/proc/modules", "/proc/sysrq-trigger", "/proc/timer_list"};

// Runs the steps and gives up at the first that fails.
class Steps {
 public:
  explicit Steps(int control) : control_(control) {}
  void need(const char* step, long result) const {
    if (result < 0) give_up(control_, step, errno);
  }

 private:
  int control_;
};

void wait_for_go(int control) {
  char word[8];
  ssize_t got = -1;
  do {
    got = recv(control, word, sizeof(word), 0);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(kGo.size()) || memcmp(word, kGo.data(), kGo.size()) != 0) _exit(0);
}

// The ids are mapped now: from nobody to the container's root.
void become_root(const Steps& steps) {
  steps.need("setsid", setsid());
  steps.need("setgroups", setgroups(0, nullptr));
  steps.need("setresgid", setresgid(0, 0, 0));
  steps.need("setresuid", setresuid(0, 0, 0));
  // Only now, in its own cgroups: the new namespace's root is where the process is.
  steps.need("unshare cgroup", unshare(CLONE_NEWCGROUP));
  steps.need("sethostname", sethostname("function", 8));
}

void mount_proc(const Steps& steps) {
  steps.need("mount /proc", mount("proc", "/proc", "proc", kPrivate | MS_NOEXEC, "hidepid=2"));
  for (const char* path : kMasked) {
    if (mount("/dev/null", path, nullptr, MS_BIND, nullptr) != 0 && errno != ENOENT) steps.need(path, -1);
  }
  steps.need("bind /proc/sys", mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, nullptr));
  steps.need("protect /proc/sys",
             mount(nullptr, "/proc/sys", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOEXEC | kPrivate, nullptr));
}

// One tmpfs holds all that the container may write, so that one size bounds it: /tmp and /dev/shm are folders of it,
// behind a folder that only root may cross. /run itself is the warden's.
void mount_private(const Steps& steps, unsigned tmp_mib) {
  char options[64];
  snprintf(options, sizeof(options), "mode=0755,size=%um", tmp_mib);
  steps.need("mount /run", mount("tmpfs", "/run", "tmpfs", kPrivate, options));
  umask(0);
  steps.need("mkdir", mkdir("/run/private", 0700));
  steps.need("mkdir", mkdir("/run/private/tmp", 01777));
  steps.need("mkdir", mkdir("/run/private/shm", 01777));
  umask(022);
  int file = open(kResolvConf, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  steps.need("make resolv.conf", file);
  close(file);
  steps.need("bind /tmp", mount("/run/private/tmp", "/tmp", nullptr, MS_BIND, nullptr));
  steps.need("bind /dev/shm", mount("/run/private/shm", "/dev/shm", nullptr, MS_BIND, nullptr));
}

void place_descriptors(const Steps& steps, const SandboxInput& input) {
  int null = open("/dev/null", O_RDWR);
  steps.need("open /dev/null", null);
  steps.need("dup", dup2(null, 0));
  steps.need("dup", dup2(input.log, 1));
  steps.need("dup", dup2(input.log, 2));
  steps.need("dup", dup3(input.control, kControlSocket, O_CLOEXEC));
  steps.need("close_range", syscall(SYS_close_range, kControlSocket + 1, ~0U, 0));
}

void drop_privileges(const Steps& steps) {
  rlimit files{kOpenFiles, kOpenFiles};
  rlimit none{0, 0};
  steps.need("rlimit files", setrlimit(RLIMIT_NOFILE, &files));
  steps.need("rlimit core", setrlimit(RLIMIT_CORE, &none));
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  steps.need("securebits", prctl(PR_SET_SECUREBITS,
                                 SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
                                 0, 0, 0));
  steps.need("setresgid", setresgid(kFunctionGroup, kFunctionGroup, kFunctionGroup));
  steps.need("setresuid", setresuid(kInitUser, kFunctionUser, kInitUser));
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct nothing[2] = {};
  steps.need("capset", syscall(SYS_capset, &header, nothing));
  steps.need("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  steps.need("undumpable", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

}  // namespace

void give_up(int control, const char* step, int error) {
  char text[128];
  int length = snprintf(text, sizeof(text), "{\"failed\":\"%.80s\",\"errno\":%d}", step, error);
  // If even this fails the warden sees the process end.
  (void)send(control, text, static_cast<size_t>(length), MSG_NOSIGNAL);
  _exit(1);
}

void enter_sandbox(const SandboxInput& input) {
  wait_for_go(input.control);
  Steps steps(input.control);
  become_root(steps);
  mount_proc(steps);
  mount_private(steps, input.request.tmp_mib);
  steps.need("chdir", chdir("/"));
  place_descriptors(steps, input);
  Steps later(kControlSocket);
  drop_privileges(later);
  later.need("seccomp", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, input.filter, 0, 0));
}

}  // namespace hearth::container
