"""What a hostile hearthd tries on hearth-warden: all that a process of the unprivileged user can do or send.

Each attempt is refused by name; after each of them a good client is served and nothing is on the host that was not
there before (World.check).
"""
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import pwd
import signal
import socket

import pytest

from instance import wait_until
from refused_requests import BIND, GARBAGE, REFUSED
from warden_world import HEX, KIB, MIB, Client, World, as_user, process_as, user

NOBODY = pwd.getpwnam("nobody")
RENAME_EXCHANGE = 2


@pytest.fixture(scope="module")
def started():
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes containers and namespaces")
    world = World()
    try:
        world.start()
        yield world
    finally:
        world.instance.stop()
        left = world.instance.leftovers()
        logs = world.instance.logs()
        world.instance.remove()
    assert left == [], f"left behind: {left}\n{logs}"


@pytest.fixture
def world(started):
    started.listen()
    yield started
    started.check()


@pytest.fixture
def hostile(world):
    with world.client() as client:
        yield client


def refused(reply, kind, text):
    assert reply is not None, "the connection was closed"
    assert "error" in reply, f"it was done: {reply}"
    assert reply["error"]["kind"] == kind and text in reply["error"]["message"], reply["error"]


# ---- who may connect

@pytest.mark.parametrize("uid, gid", [(0, 0), (NOBODY.pw_uid, 0), (54321, 0)])
def test_another_user_gets_no_answer_and_does_not_disturb(world, hostile, uid, gid):
    """Root's group may open the socket's file; the warden then asks who it is. Not even root is hearthd."""
    stranger = Client(str(world.run_dir / "warden.sock"), uid, gid)
    with contextlib.suppress(BrokenPipeError):  # closed already
        stranger.send({"id": 1, "op": "hello", "version": 1})
    assert stranger.receive() is None
    assert hostile.ok("list_containers") == {"containers": []}
    assert f"a connection of user {uid} is refused" in world.said()


@pytest.mark.parametrize("uid, gid", [(NOBODY.pw_uid, NOBODY.pw_gid), (54321, 54321)])
def test_another_user_can_not_even_connect(world, uid, gid):
    with pytest.raises(PermissionError):
        Client(str(world.run_dir / "warden.sock"), uid, gid)


@pytest.mark.parametrize("what, action", [
    ("kill", lambda w: os.kill(w.instance.warden.pid, signal.SIGTERM)),
    ("replace the socket", lambda w: (w.run_dir / "warden.sock").unlink()),
    ("hold the lock", lambda w: (w.run_dir / "warden.lock").open()),
    ("list containers' files", lambda w: os.listdir(w.run_dir / "containers")),
    ("open a map", lambda w: (w.run_dir / "bpf/fn/bindings").open()),
    ("command the gateway",
     lambda w: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(str(w.run_dir / "gateways/gw.sock"))),
    ("read its memory", lambda w: open(f"/proc/{w.instance.warden.pid}/mem", "rb")),
    ("make a file", lambda w: (w.run_dir / "netns/planted").write_text(""))])
def test_the_user_has_no_hand_on_the_warden(world, what, action):
    assert as_user(lambda: action(world)) == "PermissionError"


def made_for_nobody(client, state):
    groups = client.ok("list_containers")["containers"]
    return [container for group in groups if group["state"] == state for container in group["ids"]]


def test_a_second_connection_replaces_the_first_and_inherits_nothing(world):
    with world.client() as first:
        os.kill(world.instance.warden.pid, signal.SIGSTOP)  # so that both are there when it goes on
        try:
            first.send({"id": 1001, "op": "make_container", "runtime": "python3.11"})
            second = Client(str(world.run_dir / "warden.sock"))
            second.send({"id": 1, "op": "hello", "version": 1})
        finally:
            os.kill(world.instance.warden.pid, signal.SIGCONT)
        assert second.answer(1)["reply"] == "hello"  # answer() fails on a reply to another's request
        assert first.receive() is None
        with pytest.raises(BrokenPipeError):
            first.send({"id": 1002, "op": "list_containers"})
    second.ids = itertools.count(2)
    wait_until(lambda: not made_for_nobody(second, "making"), what="the container that the first one may have got")
    for container in made_for_nobody(second, "warm"):
        second.ok("kill", container=container)
    second.close()
    with world.client(), world.client(hello=False) as third:  # what one has said does not count for the next
        third.send({"id": 1, "op": "list_containers"})
        assert third.receive() is None


# ---- frames

@pytest.mark.parametrize("frame", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("greeted", [False, True])
def test_what_is_no_request_ends_the_connection(world, frame, greeted):
    with world.client(hello=greeted) as client:
        client.send(frame)
        assert client.receive() is None


@pytest.mark.parametrize("frame", [
    {"op": "list_containers"}, {"op": "make_container", "runtime": "python3.11"}, {"op": "nonsense"}, {"op": "hello"},
    *({"op": "hello", "version": version} for version in (0, 2, -1, "1", 2**40, True, None)),
    {"op": "hello", "version": 1, "user": "root"}], ids=str)
def test_nothing_goes_before_a_good_hello(world, frame):
    with world.client(hello=False) as client:
        client.send({"id": 1, **frame})
        assert client.receive() is None


def test_a_later_hello_of_another_version_ends_the_connection(hostile):
    assert hostile.call("hello", version=2) is None


def test_equal_ids_are_answered_each_to_the_asker(world, hostile):
    for _ in range(3):
        hostile.send({"id": 7, "op": "list_containers"})
    assert [hostile.receive()["id"] for _ in range(3)] == [7, 7, 7]


@pytest.mark.parametrize("count", [1, 8, 200])
def test_descriptors_that_are_sent_along_do_not_stay(world, hostile, tmp_path, count):
    with (tmp_path / "planted").open("w") as file:
        hostile.send({"id": 1, "op": "list_containers"}, [file.fileno()] * count)
        assert hostile.receive() is None
        held = pathlib.Path(f"/proc/{world.instance.warden.pid}/fd").iterdir()
        assert not [link for link in held if os.path.realpath(link) == file.name]


def test_no_line_of_the_log_can_be_forged(world, hostile):
    forged = "\n2026-01-01T00:00:00.000Z error hearth-warden: forged"
    refused(hostile.call("x" + forged), "invalid", "request.op x")
    refused(hostile.call("list_containers", **{"y" * 100_000 + forged: 1}), "invalid", "request.yyyy")
    log = (world.instance.folder / "hearth-warden.log").read_text()
    assert "request.op x?2026" in log
    assert not [line for line in log.splitlines() if line.endswith("forged") and " error " in line[:40]]
    assert max(map(len, log.splitlines())) < 8 * KIB


# ---- requests

OPS = list(dict.fromkeys(str(request.get("op")) for request, _, _ in REFUSED))


@pytest.mark.parametrize("op", OPS)
def test_request_is_refused(world, hostile, op):
    for request, kind, text in REFUSED:
        if str(request.get("op")) == op:
            hostile.send({"id": 5, **request})
            reply = hostile.answer(5)
            assert reply is not None and reply["fds"] == 0 and "error" in reply, f"{request}: {reply}"
            assert reply["error"]["kind"] == kind and text in reply["error"]["message"], f"{request}: {reply}"


@pytest.mark.parametrize("op, fields", [
    ("delete_vpc", {"vpc": "v9"}), ("delete_vpc", {"vpc": "fn"}), ("delete_subnet", {"vpc": "v1", "subnet": "s9"}),
    ("delete_vpc_host", {"name": "hhd-outside"}), ("delete_attachment", {"attachment": "a9"}),
    ("delete_policy", {"policy": "p9"}), ("detach_vpc", {"vpc": "v1", "subnet": "s9"})])
def test_deleting_what_is_not_ours_deletes_nothing(world, hostile, op, fields):
    """Deleting is idempotent, so it is answered; World.check sees that all namespaces are still there."""
    hostile.ok(op, **fields)
    assert hostile.ok("gateway_stats", gateway="gw", attachments=["a1", "outside", "a2"])["counters"]["attachments"].keys() == {"a1", "outside"}


# ---- containers

def bind(client, container, **changes):
    return client.call(**{**BIND, "container": container, **changes})


@pytest.mark.parametrize("what", [
    {"package": HEX["b"]}, {"package": HEX["c"]}, {"package": HEX["d"]}, {"package": HEX["e"]}, {"package": HEX["f"]},
    {"layers": [HEX["b"]]}, {"layers": [HEX["a"], HEX["d"]]}, {"layers": [HEX["c"], HEX["a"]]}], ids=range(8))
def test_a_planted_package_is_not_followed(world, hostile, what):
    """A link to /etc, to a good package, to root's folder; a file; a FIFO, which must not hang the warden."""
    container = world.make(hostile)
    planted = what.get("package") or next(digest for digest in what["layers"] if digest != HEX["a"])
    refused(bind(hostile, container, **what), "internal", f"openat2 {planted}")
    assert hostile.wait_gone(container)["cause"] == "killed"  # half bound is nobody's


def test_a_missing_package_is_refused(world, hostile):
    container = world.make(hostile)
    refused(bind(hostile, container, package=HEX["0"]), "not_found", f"openat2 {HEX['0']}")
    assert hostile.wait_gone(container)["cause"] == "killed"


def test_a_package_that_is_swapped_for_a_link_is_never_followed(world, hostile):
    good, link = (str(world.packages / name) for name in (HEX["a"], HEX["d"]))
    libc = ctypes.CDLL(None, use_errno=True)

    def swap(channel):
        channel.setblocking(False)
        channel.send(b"swapping")
        while True:
            libc.renameat2(-100, good.encode(), -100, link.encode(), RENAME_EXCHANGE)

    outcomes = {"done": 0, "refused": 0}
    with process_as(user().pw_uid, user().pw_gid, swap) as channel:
        assert channel.recv(KIB) == b"swapping"
        for _ in range(200):
            container = world.make(hostile)
            reply = bind(hostile, container)
            if "ok" in reply:
                root = f"/proc/{world.processes(container)[0]}/root/var/task"
                assert os.listdir(root) == ["app.py"]
                hostile.ok("kill", container=container)
            else:
                refused(reply, "internal", f"openat2 {HEX['a']}")
            outcomes["done" if "ok" in reply else "refused"] += 1
            hostile.wait_gone(container)
            if min(outcomes.values()) >= 5:
                break
    if os.path.islink(good):
        os.rename(good, good + ".link")
        os.rename(link, good)
        os.rename(good + ".link", link)
    assert min(outcomes.values()) >= 5, outcomes


@pytest.mark.parametrize("changes, kind, text", [
    ({"attachment": "a9"}, "unavailable", "no attachment a9"), ({"attachment": "fn"}, "unavailable", "no attachment fn"),
    ({"attachment": "a1", "policy": "p9"}, "unavailable", "no policy p9"),
    ({"layers": [HEX["a"], HEX["a"]]}, "internal", "fsconfig")])
def test_a_bind_to_what_is_not_there_ends_the_container(world, hostile, changes, kind, text):
    container = world.make(hostile)
    refused(bind(hostile, container, **changes), kind, text)
    assert hostile.wait_gone(container)["cause"] == "killed"


def test_a_container_serves_one_function_only(world, hostile):
    container = world.make(hostile)
    assert "ok" in bind(hostile, container, attachment="a1", policy="p1")
    mounted = os.stat(f"/proc/{world.processes(container)[0]}/root/var/task").st_ino
    refused(bind(hostile, container), "conflict", "the container is not warm")
    refused(hostile.call("delete_policy", policy="p1"), "conflict", "policy p1 is in use")
    refused(hostile.call("delete_attachment", attachment="a1"), "conflict", "attachment a1 is in use")
    assert os.stat(f"/proc/{world.processes(container)[0]}/root/var/task").st_ino == mounted
    hostile.ok("freeze", container=container, frozen=True)
    hostile.ok("kill", container=container)
    assert hostile.wait_gone(container)["cause"] == "killed"
    for op, more in (("kill", {}), ("freeze", {"frozen": False}), ("adopt_container", {})):
        refused(hostile.call(op, container=container, **more), "not_found", f"no container {container}")
    refused(bind(hostile, container), "not_found", f"no container {container}")


def test_containers_are_bounded(world, hostile):
    for id_ in range(100, 120):
        hostile.send({"id": id_, "op": "make_container", "runtime": "python3.11"})
    replies = [hostile.receive() for _ in range(20)]
    made = [reply["ok"]["container"] for reply in replies if "ok" in reply]
    assert len(made) == 6 and all(reply["fds"] == 4 for reply in replies if "ok" in reply)
    for reply in replies:
        if "ok" not in reply:
            refused(reply, "exhausted", "6 containers are the limit")
    for container in made:
        hostile.ok("kill", container=container)
        hostile.wait_gone(container)


# ---- floods

@pytest.mark.parametrize("frame", [
    {"op": "list_containers"}, {"op": "list_containers", "\n" * 5000: 1}, {"op": "adopt_container"}],
    ids=["short", "long", "with descriptors"])
def test_who_does_not_read_is_cut_off(world, hostile, frame):
    """Replies wait up to a bound, with the descriptors beside them, and are gone with the connection."""
    before, container = world.memory(), world.make(hostile)
    if frame["op"] == "adopt_container":
        frame = {**frame, "container": container}
    data = json.dumps({"id": 1, **frame}).encode()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(100_000):
            hostile.send(data)
    assert world.memory() - before < 64 * MIB
    assert "the connection to hearthd is closed: hearthd does not read its replies" in world.said()
    with world.client() as good:  # its events come to whoever is hearthd then
        good.ok("kill", container=container)
        good.wait_gone(container)


def test_many_connections_leave_one(world):
    clients = [Client(str(world.run_dir / "warden.sock")) for _ in range(30)]
    assert [client.receive() for client in clients[:-1]] == [None] * 29
    assert clients[-1].ok("hello", version=1)
    for client in clients:
        client.close()


# ---- a warden that starts again

def put_link(path, target):
    os.rename(path, f"{path}.away")
    path.symlink_to(target)


def test_a_packages_folder_that_is_a_link_is_not_opened(world):
    """The folder around it is the user's: a link there would give containers any folder that has a digest's name."""
    for target in (world.secret, world.instance.folder / "not-there"):
        world.instance.kill(world.instance.warden)
        assert as_user(lambda: put_link(world.packages, target)) == ""
        with pytest.raises(RuntimeError, match=f"open {world.packages}: Not a directory"):
            (world.run_dir / "warden.sock").unlink()
            world.instance.start_warden()
        assert not (world.instance.folder / "not-there").exists() and world.secret.stat().st_uid == 0
        world.packages.unlink()
        os.rename(f"{world.packages}.away", world.packages)
        world.restart()


def test_nothing_that_was_asked_for_keeps_a_warden_from_starting(world):
    """Names are remembered for the next warden before all is made: a bad one must not stay."""
    with world.client() as hostile:
        for request, _, _ in REFUSED:
            hostile.send({"id": 5, **request})
            assert "error" in hostile.answer(5), request
    world.instance.kill(world.instance.warden)
    (world.run_dir / "warden.sock").unlink()
    world.restart()
    with world.client() as good:
        container = world.make(good)
        assert "ok" in bind(good, container, attachment="a1", policy="p1")
        good.ok("kill", container=container)
        good.wait_gone(container)
