#include "container/seccomp_policy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "container/zygote_protocol.h"

namespace hearth::container {
namespace {

constexpr int kL2tp = 115;  // IPPROTO_L2TP, which only the kernel's headers have

// errno of `call` under the filter; 0 when it worked.
int under_filter(const std::function<long()>& call) {
  static const std::vector<sock_filter> program = function_filter().value();
  pid_t child = fork();
  if (child == 0) {
    sock_fprog filter{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
      _exit(255);
    _exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(FunctionFilter, FitsTheKernel) {
  EXPECT_LE(function_filter().value().size(), static_cast<size_t>(kMaxSeccompInstructions));
}

TEST(FunctionFilter, AllowsWhatProgramsNeed) {
  EXPECT_EQ(under_filter([] { return open("/dev/null", O_RDWR); }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_INET, SOCK_STREAM, IPPROTO_TCP); }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_INET6, SOCK_DGRAM, 0); }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP); }), 0);
  EXPECT_EQ(under_filter([] { return socket(AF_UNIX, SOCK_SEQPACKET, 0); }), 0);
  EXPECT_EQ(under_filter([] {
              int ends[2];
              return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends);
            }),
            0);
  EXPECT_EQ(under_filter([] { return socket(AF_NETLINK, SOCK_RAW, 0); }), 0);
  EXPECT_EQ(under_filter([] { return fork(); }), 0);
  EXPECT_EQ(under_filter([] { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }), 0);
}

TEST(FunctionFilter, RefusesNamespaces) {
  for (unsigned long flag :
       {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
    EXPECT_EQ(under_filter([&] { return syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0); }), EPERM) << flag;
    EXPECT_EQ(under_filter([&] { return unshare(static_cast<int>(flag)); }), EPERM) << flag;
  }
  EXPECT_EQ(under_filter([] { return syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(under_filter([] { return syscall(SYS_clone3, nullptr, 0); }), ENOSYS);
}

TEST(FunctionFilter, RefusesSpecialSockets) {
  EXPECT_EQ(under_filter([] { return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP); }), EPERM);
  EXPECT_EQ(under_filter([] { return socket(AF_PACKET, SOCK_DGRAM, 0); }), EPERM);
  EXPECT_EQ(under_filter([] { return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER); }), ENOSYS);
  EXPECT_EQ(under_filter([] { return socket(AF_ALG, SOCK_SEQPACKET, 0); }), ENOSYS);
  EXPECT_EQ(under_filter([] { return socket(AF_VSOCK, SOCK_STREAM, 0); }), ENOSYS);
}

// The kernel would load their modules.
TEST(FunctionFilter, RefusesProtocolsThatKernelsMayLack) {
  for (int family : {AF_INET, AF_INET6}) {
    EXPECT_EQ(under_filter([&] { return socket(family, SOCK_STREAM, IPPROTO_SCTP); }), ENOSYS) << family;
    EXPECT_EQ(under_filter([&] { return socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP); }), ENOSYS);
    EXPECT_EQ(under_filter([&] { return socket(family, SOCK_DGRAM, kL2tp); }), ENOSYS) << family;
    EXPECT_EQ(under_filter([&] { return socket(family, SOCK_DGRAM, IPPROTO_UDPLITE); }), ENOSYS) << family;
    EXPECT_EQ(under_filter([&] { return socket(family, SOCK_SEQPACKET, 0); }), ENOSYS) << family;
    EXPECT_EQ(under_filter([&] { return socket(family, SOCK_DCCP, 0); }), ENOSYS) << family;
  }
  for (int family : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK}) {
    int ends[2];
    EXPECT_EQ(under_filter([&] { return socketpair(family, SOCK_STREAM, 0, ends); }), ENOSYS) << family;
  }
}

TEST(FunctionFilter, RefusesWhatReachesBeyondTheContainer) {
  for (long call : {SYS_mount,
                    SYS_umount2,
                    SYS_pivot_root,
                    SYS_setns,
                    SYS_ptrace,
                    SYS_bpf,
                    SYS_keyctl,
                    SYS_add_key,
                    SYS_request_key,
                    SYS_perf_event_open,
                    SYS_userfaultfd,
                    SYS_io_uring_setup,
                    SYS_open_by_handle_at,
                    SYS_name_to_handle_at,
                    SYS_init_module,
                    SYS_finit_module,
                    SYS_delete_module,
                    SYS_kexec_load,
                    SYS_process_vm_readv,
                    SYS_process_vm_writev,
                    SYS_pidfd_getfd,
                    SYS_open_tree,
                    SYS_move_mount,
                    SYS_fsopen,
                    SYS_mount_setattr,
                    SYS_chroot,
                    SYS_syslog,
                    SYS_quotactl,
                    SYS_reboot,
                    SYS_swapon}) {
    EXPECT_EQ(under_filter([&] { return syscall(call, -1, -1, -1, -1, -1, -1); }), EPERM) << call;
  }
}

}  // namespace
}  // namespace hearth::container
