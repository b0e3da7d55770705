#include "container/seccomp_policy.h"

#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "kernel/seccomp.h"

namespace hearth::container {
namespace {

using kernel::Comparison;
using kernel::SyscallRule;

constexpr const char* kAllowed[] = {
    // files
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown", "fchownat", "fcntl",
    "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync",
    "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init",
    "inotify_init1", "inotify_rm_watch", "ioctl", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
    "lremovexattr", "lseek", "lsetxattr", "lstat", "memfd_create", "mkdir", "mkdirat", "mknod", "mknodat", "newfstatat",
    "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
    "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir", "sendfile",
    "setxattr", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee",
    "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vmsplice", "write", "writev",
    // waiting
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
    "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "pipe", "pipe2", "poll",
    "ppoll", "pselect6", "select", "signalfd", "signalfd4", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    // memory
    "brk", "get_mempolicy", "madvise", "mbind", "membarrier", "mincore", "mlock", "mlock2", "mlockall", "mmap",
    "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "remap_file_pages", "set_mempolicy", "shmat", "shmctl", "shmdt", "shmget",
    // processes and threads
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_waitv",
    "get_robust_list", "get_thread_area", "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpgid",
    "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
    "gettid", "getuid", "ioprio_get", "ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "pause", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "rseq",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setfsgid",
    "setfsuid", "setgid", "setgroups", "setitimer", "setpgid", "setpriority", "setregid", "setresgid", "setresuid",
    "setreuid", "setrlimit", "setsid", "setuid", "sysinfo", "tgkill", "time", "times", "tkill", "uname", "vfork",
    "wait4", "waitid",
    // signals and time
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "restart_syscall",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_settime",
    // sockets and other talk
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "mq_getsetattr",
    "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
    "recvfrom", "recvmmsg", "recvmsg", "semctl", "semget", "semop", "semtimedop", "sendmmsg", "sendmsg", "sendto",
    "setsockopt", "shutdown", "getrandom"};

constexpr const char* kRefused[] = {"acct",
                                    "add_key",
                                    "adjtimex",
                                    "bpf",
                                    "chroot",
                                    "clock_adjtime",
                                    "clock_settime",
                                    "create_module",
                                    "delete_module",
                                    "fanotify_init",
                                    "fanotify_mark",
                                    "finit_module",
                                    "fsconfig",
                                    "fsmount",
                                    "fsopen",
                                    "fspick",
                                    "init_module",
                                    "io_uring_enter",
                                    "io_uring_register",
                                    "io_uring_setup",
                                    "ioperm",
                                    "iopl",
                                    "kcmp",
                                    "kexec_file_load",
                                    "kexec_load",
                                    "keyctl",
                                    "lookup_dcookie",
                                    "migrate_pages",
                                    "modify_ldt",
                                    "mount",
                                    "mount_setattr",
                                    "move_mount",
                                    "move_pages",
                                    "name_to_handle_at",
                                    "nfsservctl",
                                    "open_by_handle_at",
                                    "open_tree",
                                    "perf_event_open",
                                    "pidfd_getfd",
                                    "pivot_root",
                                    "process_madvise",
                                    "process_mrelease",
                                    "process_vm_readv",
                                    "process_vm_writev",
                                    "ptrace",
                                    "quotactl",
                                    "quotactl_fd",
                                    "reboot",
                                    "request_key",
                                    "setdomainname",
                                    "sethostname",
                                    "setns",
                                    "settimeofday",
                                    "swapoff",
                                    "swapon",
                                    "syslog",
                                    "umount",
                                    "umount2",
                                    "unshare",
                                    "uselib",
                                    "userfaultfd",
                                    "ustat",
                                    "vhangup",
                                    "vm86",
                                    "vm86old"};

constexpr uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr uint64_t kTypeMask = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK

Comparison equal(unsigned argument, uint64_t value) { return {argument, Comparison::Test::equal, 0, value}; }
Comparison masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, Comparison::Test::masked_equal, mask, value};
}

// clone3 is in no list.
void add_clone(std::vector<SyscallRule>& rules) {
  rules.push_back({"clone", {masked(0, kNamespaceFlags, 0)}, 0});
  for (uint64_t flag = 1; flag <= kNamespaceFlags; flag <<= 1) {
    if ((kNamespaceFlags & flag) != 0) rules.push_back({"clone", {masked(0, flag, flag)}, EPERM});
  }
}

void allow_socket(std::vector<SyscallRule>& rules, int family, int type, int protocol) {
  rules.push_back({"socket",
                   {equal(0, static_cast<uint64_t>(family)), masked(1, kTypeMask, static_cast<uint64_t>(type)),
                    equal(2, static_cast<uint64_t>(protocol))},
                   0});
}

// For a family or protocol that it lacks the kernel loads a module, whoever asks: only what every kernel has built in.
// socketpair too looks for the family before it finds that only AF_UNIX has pairs.
void add_sockets(std::vector<SyscallRule>& rules) {
  for (int family : {AF_INET, AF_INET6}) {
    for (int protocol : std::array{0, int{IPPROTO_TCP}}) allow_socket(rules, family, SOCK_STREAM, protocol);
    for (int protocol : std::array{0, int{IPPROTO_UDP}}) allow_socket(rules, family, SOCK_DGRAM, protocol);
  }
  for (int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    for (int protocol : {0, PF_UNIX}) allow_socket(rules, AF_UNIX, type, protocol);
  }
  rules.push_back({"socketpair", {equal(0, AF_UNIX)}, 0});
  for (int family : {AF_UNIX, AF_INET, AF_INET6}) {
    rules.push_back({"socket", {equal(0, static_cast<uint64_t>(family)), masked(1, kTypeMask, SOCK_RAW)}, EPERM});
  }
  // getaddrinfo and getifaddrs ask the kernel for addresses: NETLINK_ROUTE and no other.
  rules.push_back({"socket", {equal(0, AF_NETLINK), equal(2, 0)}, 0});
  rules.push_back({"socket", {equal(0, AF_PACKET)}, EPERM});
}

// What sets the address space's layout as old binaries and debuggers like it; 0xffffffff asks.
void add_personality(std::vector<SyscallRule>& rules) {
  for (uint64_t value : {0x0UL, 0x8UL, 0x20000UL, 0x20008UL, 0xffffffffUL}) {
    rules.push_back({"personality", {equal(0, value)}, 0});
  }
}

}  // namespace

Result<std::vector<sock_filter>> function_filter() {
  std::vector<SyscallRule> rules;
  for (const char* name : kAllowed) rules.push_back({name, {}, 0});
  for (const char* name : kRefused) rules.push_back({name, {}, EPERM});
  add_clone(rules);
  add_sockets(rules);
  add_personality(rules);
  return kernel::compile_filter(rules);
}

}  // namespace hearth::container
