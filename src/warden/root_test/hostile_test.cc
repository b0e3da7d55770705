// What a hostile handler tries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "warden/root_test/fixture.h"

namespace hearth::warden {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(WardenRoot, AHostileHandlerIsRefusedEverything) {
  Made made = run_python(R"(
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    return 'done' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(action):
    try:
        action()
        return 'done'
    except OSError as error:
        return errno.errorcode[error.errno]
def status(name):
    for line in open('/proc/self/status'):
        if line.startswith(name + ':'):
            return line.split()[1]
def handler(event, context):
    return {
        'mount': syscall(165, b'none', b'/tmp', b'tmpfs', 0, None),
        'ptrace': syscall(101, 16, 1, 0, 0),
        'unshare': syscall(272, 0x10000000),
        'clone newuser': syscall(56, 0x10000000 | 17, 0, 0, 0, 0),
        'clone3': syscall(435, 0, 0),
        'setns': syscall(308, 0, 0),
        'bpf': syscall(321, 0, 0, 0),
        'keyctl': syscall(250, 0, 0, 0, 0, 0),
        'perf_event_open': syscall(298, 0, 0, 0, 0, 0),
        'userfaultfd': syscall(323, 0),
        'io_uring_setup': syscall(425, 1, 0),
        'open_by_handle_at': syscall(304, 0, 0, 0),
        'init_module': syscall(175, 0, 0, b''),
        'kexec_load': syscall(246, 0, 0, 0, 0),
        'process_vm_readv': syscall(310, 1, 0, 0, 0, 0, 0),
        'raw socket': attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        'packet socket': attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)),
        'netlink netfilter': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)),
        'netlink route': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
        'setuid': attempt(lambda: os.setuid(0)),
        'kill init': attempt(lambda: os.kill(1, 15)),
        'write /usr': attempt(lambda: open('/usr/x', 'w')),
        'write /var/task': attempt(lambda: open('/var/task/x', 'w')),
        'write /run': attempt(lambda: open('/run/x', 'w')),
        'write resolv.conf': attempt(lambda: open('/etc/resolv.conf', 'w')),
        'write /proc/sys': attempt(lambda: open('/proc/sys/kernel/hostname', 'w')),
        'list /run/private': attempt(lambda: os.listdir('/run/private')),
        'masked': [open(p).read(1) for p in ('/proc/keys', '/proc/kallsyms', '/proc/modules', '/proc/key-users') if os.path.exists(p)],
        'host root': os.listdir('/'),
        'sys': os.listdir('/sys'),
        'processes': [p for p in os.listdir('/proc') if p.isdigit()],
        'sees init': os.path.exists('/proc/1/status'),
        'capabilities': [status(n) for n in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')],
        'no_new_privs': status('NoNewPrivs'),
        'seccomp': status('Seccomp'),
        'descriptors': sorted(os.listdir('/proc/self/fd')),
        'tmp': attempt(lambda: open('/tmp/x', 'w')),
        'shm': attempt(lambda: open('/dev/shm/x', 'w')),
        'stderr': attempt(lambda: open('/dev/stderr', 'w')),
        'cgroup': open('/proc/self/cgroup').read(),
    }
)");
  auto got = json::parse(RuntimeApi(made.runtime_api.get()).call("{}")).as_object();
  for (const char* name : {"mount", "ptrace", "unshare", "clone newuser", "setns", "bpf", "keyctl", "perf_event_open",
                           "userfaultfd", "io_uring_setup", "open_by_handle_at", "init_module", "kexec_load",
                           "process_vm_readv", "raw socket", "packet socket", "setuid", "kill init"}) {
    EXPECT_EQ(got[name], "EPERM") << name;
  }
  EXPECT_EQ(got["clone3"], "ENOSYS");
  EXPECT_EQ(got["netlink netfilter"], "ENOSYS");
  EXPECT_EQ(got["netlink route"], "done");
  EXPECT_EQ(got["write /usr"], "EROFS");
  EXPECT_EQ(got["write /var/task"], "EROFS");
  EXPECT_EQ(got["write /run"], "EACCES");
  EXPECT_EQ(got["write resolv.conf"], "EACCES");
  EXPECT_NE(got["write /proc/sys"], "done");
  EXPECT_EQ(got["list /run/private"], "EACCES");
  for (const auto& text : got["masked"].as_array()) EXPECT_EQ(text, "");
  EXPECT_THAT(json::serialize(got["host root"]), Not(HasSubstr("work")));
  EXPECT_TRUE(got["sys"].as_array().empty());
  EXPECT_EQ(got["processes"].as_array().size(), 1U);
  EXPECT_EQ(got["sees init"], false);
  for (const auto& set : got["capabilities"].as_array()) EXPECT_EQ(set, "0000000000000000");
  EXPECT_EQ(got["no_new_privs"], "1");
  EXPECT_EQ(got["seccomp"], "2");
  EXPECT_LE(got["descriptors"].as_array().size(), 5U) << json::serialize(got["descriptors"]);
  EXPECT_EQ(got["tmp"], "done");
  EXPECT_EQ(got["shm"], "done");
  EXPECT_EQ(got["stderr"], "done");
  EXPECT_THAT(std::string(got["cgroup"].as_string().c_str()), Not(HasSubstr(made.id.str())));
}

}  // namespace
}  // namespace hearth::warden
