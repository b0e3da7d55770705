"""What a hostile handler tries from inside its container: each is refused, and the neighbour never notices."""
import json
import os
import socket

import pytest

# Runs one attempt: returns "refused: …" when the kernel or the sandbox said no, "done: …" when it worked.
PROBE = '''
import ctypes, errno, os, socket, struct, subprocess

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def mount(): return libc_checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
def libc_checked(result):
    if result != 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def unshare_user(): return call(272, 0x10000000)
def unshare_net(): return call(272, 0x40000000)
def clone_user(): return call(56, 0x10000000 | 17, 0, 0, 0, 0)
def setns(): return call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)
def ptrace(): return call(101, 16, 1, 0, 0)
def bpf(): return call(321, 0, ctypes.create_string_buffer(128), 128)
def keyctl(): return call(250, 0, -3, 1)
def add_key(): return call(248, b"user", b"x", b"y", 1, -3)
def perf(): return call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)
def userfaultfd(): return call(323, 0)
def io_uring(): return call(425, 4, ctypes.create_string_buffer(128))
def raw_socket(): return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).fileno()
def packet_socket(): return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300).fileno()
def vsock(): return socket.socket(40, socket.SOCK_STREAM).fileno()
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
def sysrq(): return open("/proc/sysrq-trigger", "w").fileno()
def kcore(): return len(open("/proc/kcore", "rb").read(1)) or 1 / 0
def sys_listing():
    entries = os.listdir("/sys")
    if not entries: raise OSError(errno.ENOENT, "empty")
    return entries
def dev_mem(): return os.open("/dev/mem", os.O_RDONLY)
def dev_kvm(): return os.open("/dev/kvm", os.O_RDWR)
def kill_init():
    os.kill(1, 9)
    if os.path.exists("/proc/self"): raise OSError(errno.EPERM, "init goes on")
def others_environ():
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid() and pid != "1":
            with open(f"/proc/{pid}/cmdline") as f:
                return f.read()
    raise OSError(errno.ENOENT, "nobody else to be seen")
def init_environ(): return open("/proc/1/environ").read()
def init_memory(): return open("/proc/1/mem", "rb").fileno()
def suid():
    out = subprocess.run(["/usr/bin/su", "-c", "id"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if out.returncode != 0: raise OSError(errno.EPERM, out.stderr)
    return out.stdout
def warden_socket():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect("/run/hearth/warden.sock"); return 1
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
        return f"done: {globals()[event['try']]()!r}"
    except (OSError, subprocess.SubprocessError) as error:
        return f"refused: {error}"
'''

ATTEMPTS = """mount unshare_user unshare_net clone_user setns ptrace bpf keyctl add_key perf userfaultfd io_uring raw_socket
packet_socket vsock open_by_handle init_module reboot chroot setuid_root mknod write_usr write_task write_etc write_resolv
write_sys sysrq kcore sys_listing dev_mem dev_kvm kill_init init_environ init_memory suid warden_socket set_address
set_mac""".split()


@pytest.fixture(scope="module")
def prober(hearth, lambda_client):
    from conftest import create_function
    create_function(lambda_client, "hostile", {"app.py": PROBE}, Timeout=10)
    yield lambda attempt: json.loads(
        lambda_client.invoke(FunctionName="hostile", Payload=json.dumps({"try": attempt}))["Payload"].read())
    lambda_client.delete_function(FunctionName="hostile")


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_attempt_is_refused(prober, attempt):
    outcome = prober(attempt)
    assert isinstance(outcome, str) and outcome.startswith("refused: "), outcome


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


def test_hosts_own_addresses_are_out_of_reach(hearth, connector):
    with socket.socket() as listener:  # on every address that the host has
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        port = listener.getsockname()[1]
        for host in own_addresses():
            assert connector(host, port).startswith("refused: "), host


def own_addresses():
    import psutil
    return [a.address for addresses in psutil.net_if_addrs().values() for a in addresses if a.family == socket.AF_INET]


def test_other_containers_are_out_of_reach(hearth, connector):
    for last in range(1, 6):  # the first addresses of the function network, their Runtime API included
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
    warm = [file.stem for file in (hearth.run_dir / "containers").glob("*.warm")]
    assert warm, "no warm container to look at"
    for container in warm:
        for pid in processes_of(hearth, container):
            assert "/var/task" not in mounts_with_content(pid)
            assert marker.encode() not in open(f"/proc/{pid}/environ", "rb").read()
            assert marker.encode() not in memory_of(pid)


def processes_of(hearth, container):
    pids = []
    for base in (f"/sys/fs/cgroup/pids/{hearth.name}", f"/sys/fs/cgroup/{hearth.name}"):
        for folder, _, files in os.walk(base):
            if container in folder and "cgroup.procs" in files:
                pids += [int(p) for p in open(f"{folder}/cgroup.procs").read().split()]
    assert pids, f"{container} has no processes"
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
