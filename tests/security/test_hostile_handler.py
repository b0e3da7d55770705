"""What a hostile handler tries from inside its container: each is refused, and the neighbour never notices."""
import contextlib
import json
import os
import socket
import subprocess
import sys

import pytest

from instance import wait_until

# Runs one attempt: "refused: ERRNO" when the kernel or the sandbox said no, "done: …" when it worked.
PROBE = '''
import ctypes, errno, os, socket, stat, struct

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

# The system calls have arguments that would do something without the filter, where no privilege is needed for them.
def mount(): return call(165, b"none", b"/tmp", b"tmpfs", 0, None)
def unshare_user(): return call(272, 0x10000000)
def unshare_net(): return call(272, 0x40000000)
def clone_user(): return call(56, 0x10000000 | 17, 0, 0, 0, 0)
def clone3(): return call(435, ctypes.create_string_buffer(88), 88)
def setns(): return call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)
def ptrace(): return call(101, 0, 0, 0, 0)
def process_vm_readv():
    text, into = ctypes.create_string_buffer(b"text"), ctypes.create_string_buffer(5)
    part = lambda buffer: struct.pack("QQ", ctypes.addressof(buffer), 5)
    return call(310, os.getpid(), part(into), 1, part(text), 1, 0)
def pidfd_getfd(): return call(438, call(434, os.getpid(), 0), 1, 0)
def bpf(): return call(321, 0, struct.pack("IIII", 2, 4, 8, 1) + bytes(112), 128)
def keyctl(): return call(250, 0, -3, 1)
def add_key(): return call(248, b"user", b"x", b"y", 1, -3)
def perf(): return call(298, struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 0x61) + bytes(64), 0, -1, -1, 0)
def userfaultfd(): return call(323, 1)
def io_uring(): return call(425, 4, ctypes.create_string_buffer(128))
def raw_socket(): return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).fileno()
def packet_socket(): return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300).fileno()
def vsock(): return socket.socket(40, socket.SOCK_STREAM).fileno()
def alg(): return socket.socket(38, socket.SOCK_SEQPACKET).fileno()
def sctp(): return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).fileno()
def netfilter(): return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12).fileno()
def open_by_handle(): return call(304, -100, ctypes.create_string_buffer(64), 0)
def init_module(): return call(175, ctypes.create_string_buffer(8), 8, b"")
def reboot(): return call(169, 0xfee1dead, 672274793, 0, 0)
def chroot(): return os.chroot("/tmp")
def setuid_root(): return os.setuid(0)
def mknod(): return os.mknod("/tmp/sda", 0o60600, os.makedev(8, 0))
def write_usr(): return open("/usr/hearth-was-here", "w").fileno()
def write_task(): return open("/var/task/planted.py", "w").fileno()
def write_etc(): return open("/etc/passwd", "a").fileno()
def write_resolv(): return open("/run/resolv.conf", "w").fileno()
def write_sys(): return open("/proc/sys/kernel/hostname", "w").fileno()
def nothing_at(path):
    status = os.stat(path)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3):
        raise OSError(errno.ENODATA, "the null device")
    return status
def kcore(): return nothing_at("/proc/kcore")
def kallsyms(): return nothing_at("/proc/kallsyms")
def keys(): return nothing_at("/proc/keys")
def kmsg(): return nothing_at("/proc/kmsg")
def modules(): return nothing_at("/proc/modules")
def sysrq(): return nothing_at("/proc/sysrq-trigger")
def sys_listing():
    entries = os.listdir("/sys")
    if not entries: raise OSError(errno.ENOENT, "empty")
    return entries
def dev_mem(): return os.open("/dev/mem", os.O_RDONLY)
def dev_kvm(): return os.open("/dev/kvm", os.O_RDWR)
def kill_init():
    os.kill(1, 9)
    return "init got the signal"
def others_environ():
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid() and pid != "1":
            with open(f"/proc/{pid}/cmdline") as f:
                return f.read()
    raise OSError(errno.ENOENT, "nobody else to be seen")
def init_environ(): return open("/proc/1/environ").read()
def init_memory(): return open("/proc/1/mem", "rb").fileno()
def suid():
    if os.statvfs("/usr/bin/su").f_flag & os.ST_NOSUID: raise OSError(errno.EPERM, "nosuid")
    return "/usr/bin/su gives its owner's rights"
def warden_socket(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(path); return 1
def set_address():
    import fcntl
    s = socket.socket(); request = struct.pack("16sH2x4s8x", b"eth0", socket.AF_INET, socket.inet_aton("100.64.9.9"))
    return fcntl.ioctl(s, 0x8916, request)
def set_mac():
    import fcntl
    s = socket.socket(); request = struct.pack("16sH6s8x", b"eth0", 1, b"\\2\\0\\0\\0\\0\\1")
    return fcntl.ioctl(s, 0x8924, request)

def handler(event, context):
    try:
        return f"done: {globals()[event['try']](*event.get('with', []))!r}"
    except OSError as error:
        return f"refused: {errno.errorcode[error.errno]}"
'''

# By how each must be refused: another error would say that the attempt was no good.
ATTEMPTS = {
    "EPERM": """mount unshare_user unshare_net clone_user setns ptrace process_vm_readv pidfd_getfd bpf keyctl add_key perf
                userfaultfd io_uring raw_socket packet_socket open_by_handle init_module reboot chroot setuid_root mknod
                kill_init suid set_address set_mac""",
    "ENOSYS": "clone3 vsock alg sctp netfilter",
    "EROFS": "write_usr write_task",
    "EACCES EROFS": "write_etc write_resolv write_sys",
    "ENOENT": "sys_listing dev_mem dev_kvm others_environ",
    "EACCES ENOENT": "init_environ init_memory",
    "ENODATA ENOENT": "kcore kallsyms keys kmsg modules sysrq"}


@pytest.fixture(scope="module")
def prober(hearth, lambda_client):
    from conftest import create_function
    create_function(lambda_client, "hostile", {"app.py": PROBE}, Timeout=10)
    yield lambda attempt, *arguments: json.loads(lambda_client.invoke(
        FunctionName="hostile", Payload=json.dumps({"try": attempt, "with": arguments}))["Payload"].read())
    lambda_client.delete_function(FunctionName="hostile")


@pytest.mark.parametrize("errors, attempt", [(errors, name) for errors, names in ATTEMPTS.items() for name in names.split()])
def test_attempt_is_refused(prober, errors, attempt):
    assert prober(attempt) in [f"refused: {error}" for error in errors.split()]


def test_the_wardens_socket_is_not_there(hearth, prober):
    path = hearth.run_dir / "warden.sock"
    assert path.is_socket() and prober("warden_socket", str(path)) == "refused: ENOENT"


CONNECT = '''
import socket

def handler(event, context):
    try:
        with socket.create_connection((event["host"], event["port"]), timeout=1) as s:
            return "connected"
    except OSError as error:
        return f"refused: {error}"
'''


@pytest.fixture(scope="module")
def connector(hearth, lambda_client):
    from conftest import create_function
    create_function(lambda_client, "connector", {"app.py": CONNECT}, Timeout=10)
    yield lambda host, port: json.loads(
        lambda_client.invoke(FunctionName="connector", Payload=json.dumps({"host": host, "port": port}))["Payload"].read())
    lambda_client.delete_function(FunctionName="connector")


def test_hosts_loopback_is_out_of_reach(hearth, connector):
    assert connector("127.0.0.1", hearth.port).startswith("refused: ")


SERVER = """
import socket
server = socket.create_server(("0.0.0.0", 0))
print(server.getsockname()[1], flush=True)
while True: server.accept()[0].close()
"""


@contextlib.contextmanager
def server_on_all_addresses(*prefix):
    """Its port; the command's prefix says where it runs."""
    server = subprocess.Popen([*prefix, sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait()


def test_hosts_own_addresses_are_out_of_reach(hearth, connector):
    """What stands for the outside is reached; the host, whose namespace is another, is not."""
    subprocess.run(["ip", "-n", hearth.outside, "addr", "replace", "198.51.100.1/32", "dev", "lo"], check=True)
    with server_on_all_addresses("ip", "netns", "exec", hearth.outside) as port:
        assert connector("198.51.100.1", port) == "connected"
    shown = subprocess.run(["ip", "-j", "-4", "addr"], check=True, capture_output=True, text=True).stdout
    addresses = [each["local"] for link in json.loads(shown) for each in link["addr_info"]]
    assert "127.0.0.1" in addresses
    with server_on_all_addresses() as port:
        for address in addresses:
            socket.create_connection((address, port), 2).close()
            assert connector(address, port).startswith("refused: "), address


LISTEN = '''
import socket

server = socket.create_server(("0.0.0.0", 7000))

def handler(event, context):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    with socket.create_connection((address, 7000), timeout=2):
        return address
'''


def test_other_containers_are_out_of_reach(hearth, connector, make_function, lambda_client):
    listener = json.loads(lambda_client.invoke(FunctionName=make_function(LISTEN))["Payload"].read())
    assert listener.startswith("100."), listener
    for port in (7000, 9001):
        assert connector(listener, port).startswith("refused: ")
    for last in range(1, 6):  # the first addresses of the function network
        assert connector(f"100.64.0.{last}", 9001).startswith("refused: ")


PEEK = '''
import os

def handler(event, context):
    seen = {pid: open(f"/proc/{pid}/status").readline().split()[1] for pid in os.listdir("/proc") if pid.isdigit()}
    return {"pids": seen, "uid": os.getuid(), "caps": [l for l in open("/proc/self/status") if l.startswith(("Cap", "NoNew", "Seccomp:"))],
            "fds": sorted(os.readlink(f"/proc/self/fd/{f}") for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}"))}
'''


def test_process_has_no_power_and_sees_only_itself(hearth, make_function, lambda_client):
    name = make_function(PEEK)
    seen = json.loads(lambda_client.invoke(FunctionName=name)["Payload"].read())
    assert seen["uid"] != 0
    caps = dict(line.split() for line in seen["caps"])
    assert all(int(caps[set_], 16) == 0 for set_ in ("CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"))
    assert caps["NoNewPrivs:"] == "1" and caps["Seccomp:"] == "2"
    assert len(seen["pids"]) <= 2
    assert not [fd for fd in seen["fds"] if "/run/" in fd or fd.startswith("/dev/net")]


def test_warm_container_holds_no_function(hearth, make_function, lambda_client):
    """Nothing of any function is in a warm container: not in its mounts, environment, or memory."""
    marker = "MARKER_" + os.urandom(8).hex()
    name = make_function(f"{marker} = 1\ndef handler(event, context):\n    return {marker}\n",
                         Environment={"Variables": {"SECRET": marker}})
    lambda_client.invoke(FunctionName=name)
    folder, seen = hearth.run_dir / "containers", 0
    for warm in folder.glob("*.warm"):
        try:
            held = [(mounts_with_content(pid), open(f"/proc/{pid}/environ", "rb").read() + memory_of(pid))
                    for pid in processes_of(hearth, warm.stem)]
        except (FileNotFoundError, ProcessLookupError):
            wait_until(lambda file=warm: not file.exists(), what="the end of a container that the pool had too many")
            continue
        for mounts, content in held:
            assert "/var/task" not in mounts and marker.encode() not in content
        seen += 1
    assert seen, "no warm container to look at"


def processes_of(hearth, container):
    pids = []
    for base in (f"/sys/fs/cgroup/pids/{hearth.name}", f"/sys/fs/cgroup/{hearth.name}"):
        for folder, _, files in os.walk(base):
            if container in folder and "cgroup.procs" in files:
                pids += [int(p) for p in open(f"{folder}/cgroup.procs").read().split()]
    if not pids:
        raise ProcessLookupError(f"{container} has no processes")
    return pids


def mounts_with_content(pid):
    return [line.split()[4] for line in open(f"/proc/{pid}/mountinfo")]


def memory_of(pid):
    """All private, readable memory of a process."""
    content = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, flags = line.split()[:2]
            if flags.startswith("r") and "[v" not in line:
                start, end = (int(x, 16) for x in span.split("-"))
                try:
                    memory.seek(start)
                    content += memory.read(end - start)
                except OSError:
                    continue  # guard pages and device memory can't be read
    return content
