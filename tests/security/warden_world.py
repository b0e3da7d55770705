"""A hearth-warden with a network and planted packages, and connections to it as a hostile hearthd makes them.

A connection is made by a process that has become the user: the warden goes by who connected.
"""
import contextlib
import itertools
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess

from instance import Instance, wait_until

KIB, MIB = 1024, 1024 * 1024
HEX = {c: c * 64 for c in "abcdef0"}  # digests of packages: a is a good one, the others as plant() says


def user():
    return pwd.getpwnam("hearth")


@contextlib.contextmanager
def process_as(uid, gid, action):
    """Runs action(channel) in a process of `uid`; yields our end of the channel and ends the process."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            action(theirs)
        except BaseException as error:
            theirs.send(type(error).__name__.encode())
        os._exit(0)
    theirs.close()
    try:
        yield ours
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()


def as_user(action, uid=None, gid=None):
    """The name of what action() raised in a process of the user, "" when it worked."""
    with process_as(user().pw_uid if uid is None else uid, user().pw_gid if gid is None else gid,
                    lambda channel: action()) as channel:
        return channel.recv(KIB).decode()


class Client:
    """A connection to the warden, made by a process of `uid`. Keeps what came beside the replies."""

    def __init__(self, path, uid=None, gid=None):
        def connect(channel):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
                made.connect(path)
                socket.send_fds(channel, [b"connected"], [made.fileno()])
                channel.recv(1)

        with process_as(uid if uid is not None else user().pw_uid, gid if gid is not None else user().pw_gid,
                        connect) as channel:
            said, fds, _, _ = socket.recv_fds(channel, KIB, 1)
        if not fds:
            raise PermissionError(said.decode())
        self.socket = socket.socket(fileno=fds[0])
        self.socket.settimeout(10)
        self.events, self.ids = [], itertools.count(1)

    def send(self, frame, fds=()):
        data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        socket.send_fds(self.socket, [data], fds) if fds else self.socket.send(data)

    def receive(self):
        """The next frame; None when the warden has closed. Descriptors are closed, their number is "fds"."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, 256 * KIB, 8)
        except ConnectionResetError:
            return None
        for fd in fds:
            os.close(fd)
        return {**json.loads(data), "fds": len(fds)} if data else None

    def answer(self, id_):
        while True:
            frame = self.receive()
            if frame is None or frame.get("id") == id_:
                return frame
            assert "event" in frame, f"a reply to nobody's request: {frame}"
            self.events.append(frame)

    def call(self, op, **fields):
        id_ = next(self.ids)
        self.send({"id": id_, "op": op, **fields})
        return self.answer(id_)

    def ok(self, op, **fields):
        reply = self.call(op, **fields)
        assert reply is not None and "ok" in reply, f"{op}: {reply}"
        return reply["ok"]

    def wait_gone(self, container):
        while True:
            for event in self.events:
                if event["container"] == container:
                    return event
            self.events.append(self.receive())

    def close(self):
        self.socket.close()


class World:
    """A warden with a network as hearthd makes one, and packages that the user has planted."""

    def __init__(self):
        self.instance = Instance("hhd", {"limits.containers": 6})
        self.name, self.run_dir = self.instance.name, self.instance.run_dir
        self.packages = self.instance.state / "packages"
        self.secret = self.instance.folder / "secret"  # root's, with a folder that has a digest's name
        (self.secret / HEX["a"]).mkdir(parents=True)
        (self.secret / HEX["a"] / "secret").write_text("root's")
        subprocess.run(["ip", "netns", "add", self.instance.outside], check=True)

    def start(self):
        self.instance.start_warden()
        with self.client() as good:
            good.ok("ensure_gateway", gateway="gw", driver="netns")
            good.ok("ensure_outside", gateway="gw")
            for vpc, subnet, cidr in (("v1", "s1", "10.91.0.0/24"), ("v2", "s2", "10.92.0.0/24")):
                good.ok("ensure_vpc", vpc=vpc)
                good.ok("ensure_subnet", vpc=vpc, subnet=subnet, cidr=cidr)
            good.ok("ensure_attachment", gateway="gw", attachment="a1", vpc="v1", subnet="s1", address="10.91.0.9")
            good.ok("add_vpc_host", vpc="v1", subnet="s1", name="hhd-host", address="10.91.0.20")
            good.ok("ensure_policy", policy="p1", egress=[])
            assert as_user(self.plant) == ""
            good.ok("kill", container=self.make(good))  # the zygote stays from here on
        self.baseline = self.settled()

    def restart(self):
        """After the warden was killed. The gateway is nobody's child then, all else is as it was."""
        self.instance.start_warden()
        with self.client() as good:
            good.ok("kill", container=self.make(good))
        now = self.settled()
        self.baseline = {**self.baseline, "children": now["children"], "descriptors": now["descriptors"]}

    def plant(self):
        """REQUIRES: the process is the user's, whose folder the packages are in."""
        (self.packages / HEX["a"]).mkdir()
        (self.packages / HEX["a"] / "app.py").write_text("def handler(event, context):\n    return 1\n")
        (self.packages / HEX["b"]).symlink_to("/etc")
        (self.packages / HEX["c"]).symlink_to(HEX["a"])
        (self.packages / HEX["d"]).symlink_to(f"../../../../{self.secret}/{HEX['a']}")
        (self.packages / HEX["e"]).write_text("a file")
        os.mkfifo(self.packages / HEX["f"])

    @contextlib.contextmanager
    def client(self, hello=True):
        made = Client(str(self.run_dir / "warden.sock"))
        try:
            if hello:
                assert made.ok("hello", version=1)["version"] == 1
            yield made
        finally:
            made.close()

    def make(self, client):
        return client.ok("make_container", runtime="python3.11")["container"]

    def processes(self, container):
        for base in (f"/sys/fs/cgroup/pids/{self.name}", f"/sys/fs/cgroup/{self.name}"):
            if os.path.exists(f"{base}/{container}/cgroup.procs"):
                return pathlib.Path(f"{base}/{container}/cgroup.procs").read_text().split()
        raise FileNotFoundError(container)

    def listen(self):
        """From here on said() tells what the warden logs."""
        self.log = self.instance.folder / "hearth-warden.log"
        self.heard = self.log.stat().st_size

    def said(self):
        return self.log.read_bytes()[self.heard:].decode()

    def memory(self):
        """Bytes that the warden has needed at most."""
        status = pathlib.Path(f"/proc/{self.instance.warden.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * KIB

    def ours(self, names):
        """Without what other instances on the same machine make meanwhile; attempts use our name, or nonsense."""
        return sorted(name for name in names if self.name in name or len(name) < 4 or not name.isascii())

    def snapshot(self):
        """What a warden may leave on a host. REQUIRES: no connection to it."""
        pid = self.instance.warden.pid
        cgroups = [*pathlib.Path("/sys/fs/cgroup").glob(f"{self.name}/c*/"),
                   *pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.name}/c*/")]
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return {"mounts": self.ours(pathlib.Path("/proc/self/mounts").read_text().splitlines()),
                "interfaces": self.ours(os.listdir("/sys/class/net")),
                "namespaces": self.ours(os.listdir("/run/netns")),
                "files": sorted(map(str, self.run_dir.rglob("*"))), "cgroups": len(cgroups),
                "children": len(children.split()), "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}

    def settled(self):
        last = None

        def same():
            nonlocal last
            before, last = last, self.snapshot()
            return before == last
        wait_until(same, every=0.3, what="a warden at rest")
        return last

    def check(self):
        """The warden serves a good client, and nothing has been left."""
        assert self.instance.warden.poll() is None, self.instance.logs()
        with self.client() as good:
            assert good.ok("list_containers") == {"containers": []}
        with contextlib.suppress(TimeoutError):  # the assertion tells what differs
            wait_until(lambda: self.snapshot() == self.baseline, seconds=5)
        now = self.snapshot()
        differs = [f"{key}: {now[key]}, not {was}" for key, was in self.baseline.items() if now[key] != was]
        assert not differs, "\n".join(differs)
