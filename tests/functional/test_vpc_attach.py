"""`hearth vpc attach`: functions reach hosts of real networks through the gateway, behind a bridge, a VLAN, a VXLAN.

The "real network" is a bridge of this machine's, and namespaces behind it, made here. Nothing of it leads out.
"""
import contextlib
import functools
import itertools
import json
import os
import subprocess
import sys

import pytest

from conftest import create_function
from instance import instance_of_ones_own, wait_until

PREFIX = f"hva{os.getpid() % 10_000}"
SERVER_ADDRESS = "10.66.1.50"
GATEWAY_ADDRESS = "10.66.1.4"
VNI = 4711
UNDERLAY = "192.168.166"  # of the VXLAN: .1 is this machine, .2 its other end
ACCOUNT = "666655554444"

# Tells each client the address that it comes from, and gives back what it sent.
SERVER = """
import socket, sys
listener = socket.create_server(("0.0.0.0", 7777))
print("ready", flush=True)
while True:
    client, address = listener.accept()
    client.settimeout(10)
    with client, client.makefile("rb") as lines:
        text = lines.readline()
        print(address[0], len(text), flush=True)
        client.sendall(address[0].encode() + b" " + text)
"""

CALLER = """
import socket
def handler(event, context):
    try:
        with socket.create_connection((event["to"], 7777), timeout=4) as server:
            server.sendall(b"x" * event["size"] + b"\\n")
            address, text = server.makefile().readline().split()
            return [address, len(text)]
    except OSError:
        return "no way"
"""

# A switch between the interfaces `trunk` and `access`: what has the VLAN's tag on the trunk has none behind access. The
# kernel keeps a tag, and what is left to do for checksums and segments, beside the frame.
SWITCH = """
import select, socket, struct, sys
vlan = int(sys.argv[1])
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, TAG_IS_VALID = 263, 8, 15, 1 << 4
VNET = struct.Struct("<BBHHHH")  # flags, segments' type, length of headers, of segments, checksum's start, its place

def opened(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    port.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.bind((name, 3))
    return port

def received(port):
    data, ancillary, _, sender = port.recvmsg(VNET.size + 70000, 256)
    tag = None
    for level, kind, value in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", value)
            tag = tci & 0xfff if status & TAG_IS_VALID else None
    return data, tag, sender[2] == socket.PACKET_OUTGOING

def tagged(data):
    flags, segments, headers, size, start, place = VNET.unpack(data[:VNET.size])
    if flags & 1:
        start += 4
    if headers:
        headers += 4
    frame = data[VNET.size:]
    header = VNET.pack(flags, segments, headers, size, start, place)
    return header + frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]

trunk, access = opened("trunk"), opened("access")
print("ready", flush=True)
while True:
    for port in select.select([trunk, access], [], [])[0]:
        data, tag, own = received(port)
        if own:
            continue
        if port is trunk and tag == vlan:
            access.send(data)
        elif port is access and tag is None:
            trunk.send(tagged(data))
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class RealNetwork:
    """A bridge of the machine's and hosts behind it; delete() undoes all, the youngest first."""

    _numbers = itertools.count(1)

    def __init__(self):
        self.undo = contextlib.ExitStack()

    def name(self, stem):
        return f"{PREFIX}{stem}{next(self._numbers)}"

    def delete(self):
        self.undo.close()

    def bridge(self):
        name = self.name("b")
        ip("link", "add", name, "type", "bridge")
        self.undo.callback(ip, "link", "delete", name)
        ip("link", "set", name, "addrgenmode", "none", "up")
        return name

    def namespace(self):
        name = self.name("n")
        ip("netns", "add", name)
        self.undo.callback(ip, "netns", "delete", name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def pair(self, near, far_namespace, far):
        """A pair of interfaces: `near` on this machine, `far` there."""
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", far_namespace)
        ip("link", "set", near, "addrgenmode", "none", "up")
        ip("-n", far_namespace, "link", "set", far, "up")

    def program(self, namespace, text, *arguments):
        """Runs a Python program there; returns when it says that it is ready."""
        process = subprocess.Popen(["ip", "netns", "exec", namespace, sys.executable, "-c", text, *arguments],
                                   stdout=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.wait()
            process.stdout.close()

        self.undo.callback(end)
        assert process.stdout.readline() == "ready\n"
        return process.stdout

    def untagged_host(self, bridge):
        """A server behind a port of the bridge. → its output"""
        host, port = self.namespace(), self.name("p")
        self.pair(port, host, "eth0")
        ip("-n", host, "address", "add", SERVER_ADDRESS + "/24", "dev", "eth0")
        ip("link", "set", port, "master", bridge)
        return self.program(host, SERVER)

    def tagged_host(self, bridge, vlan):
        """A server behind a switch that is behind a port of the bridge. → its output"""
        switch, host, port = self.namespace(), self.namespace(), self.name("p")
        self.pair(port, switch, "trunk")
        ip("-n", switch, "link", "add", "access", "type", "veth", "peer", "name", "eth0", "netns", host)
        ip("-n", switch, "link", "set", "access", "up")
        ip("-n", host, "link", "set", "eth0", "up")
        ip("-n", host, "address", "add", SERVER_ADDRESS + "/24", "dev", "eth0")
        ip("link", "set", port, "master", bridge)
        self.program(switch, SWITCH, str(vlan))
        return self.program(host, SERVER)

    def vxlan_host(self):
        """A server with a VXLAN of its own. → its output"""
        host, under = self.namespace(), self.name("u")
        self.pair(under, host, "under")
        ip("address", "add", UNDERLAY + ".1/24", "dev", under)
        ip("-n", host, "address", "add", UNDERLAY + ".2/24", "dev", "under")
        ip("-n", host, "link", "add", "vx0", "type", "vxlan", "id", str(VNI), "remote", UNDERLAY + ".1",
           "dstport", "4789")
        ip("-n", host, "link", "set", "vx0", "up")
        ip("-n", host, "address", "add", SERVER_ADDRESS + "/24", "dev", "vx0")
        return self.program(host, SERVER)


@functools.cache
def kernel_has_vxlan():
    name = f"{PREFIX}try"
    tried = subprocess.run(["ip", "link", "add", name, "type", "vxlan", "id", "1", "dstport", "4789", "dev", "lo"],
                           capture_output=True)
    if tried.returncode == 0:
        ip("link", "delete", name)
    return tried.returncode == 0


@pytest.fixture(scope="module")
def own():
    with instance_of_ones_own(PREFIX, {"pool.min": 2}) as instance:
        yield instance


@pytest.fixture
def real():
    network = RealNetwork()
    yield network
    network.delete()


class Vpc:
    """A VPC with one subnet and a function in it."""

    def __init__(self, instance, name, with_function=True):
        self.instance, self.name = instance, name
        self.ec2, self.lambda_client = instance.client("ec2"), instance.client("lambda")
        self.id = self.ec2.create_vpc(CidrBlock="10.66.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.id, CidrBlock="10.66.1.0/24")["Subnet"]["SubnetId"]
        self.group = None
        if with_function:
            self.group = self.ec2.create_security_group(
                GroupName="f", Description="of a test", VpcId=self.id)["GroupId"]
            create_function(self.lambda_client, name, {"app.py": CALLER}, VpcConfig={
                "SubnetIds": [self.subnet], "SecurityGroupIds": [self.group]})

    def attach(self, *where, check=True):
        return self.instance.hearth("vpc", "attach", self.id, *map(str, where), check=check)

    def detach(self):
        self.instance.hearth("vpc", "detach", self.id)

    def call(self, size=5):
        """What the function got from the server: [the address that it saw, how much came back], or "no way"."""
        client = self.instance.client("lambda")  # the port of a restarted hearthd is the same, its connections are not
        reply = client.invoke(FunctionName=self.name, Payload=json.dumps({"to": SERVER_ADDRESS, "size": size}))
        answer = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer

    def shown(self):
        subnet, = json.loads(self.instance.hearth("vpc", "show", self.id, "--json").stdout)["subnets"]
        return subnet

    def delete(self):
        if self.group:
            self.lambda_client.delete_function(FunctionName=self.name)
            self.ec2.delete_security_group(GroupId=self.group)
        for left in self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.id]}])["Subnets"]:
            self.detach()
            self.ec2.delete_subnet(SubnetId=left["SubnetId"])
        self.ec2.delete_vpc(VpcId=self.id)


@pytest.fixture
def make_vpc(own, real, unique):
    """make_vpc() → a Vpc, deleted after the test and before the real network, so that no VXLAN loses its way."""
    made = []

    def make(**arguments):
        made.append(Vpc(own, unique("attached"), **arguments))
        return made[-1]

    yield make
    for vpc in reversed(made):
        vpc.delete()


def warden_is_connected(instance):
    done = instance.hearth("status", "--json", check=False)
    return done.returncode == 0 and json.loads(done.stdout)["warden"]["connected"]


def assert_it_stands_after_restarts(instance, vpc):
    """Of hearthd and of the warden, ended in order and killed."""
    where = vpc.shown()["attached"]

    def in_order():
        for process in (instance.hearthd, instance.warden):
            process.terminate()
            process.wait(30)
        instance.start_warden()
        instance.start_hearthd()

    def kill_hearthd():
        instance.kill(instance.hearthd)
        instance.start_hearthd()

    def kill_warden():
        instance.kill(instance.warden)
        wait_until(lambda: not warden_is_connected(instance), what="hearthd that misses its warden")
        instance.start_warden()

    for restart in (kill_hearthd, kill_warden, in_order):
        restart()
        wait_until(lambda: warden_is_connected(instance), what="hearthd with its warden")
        wait_until(lambda: vpc.call() == [GATEWAY_ADDRESS, 5], seconds=60, what=f"the way after {restart.__name__}")
        assert vpc.shown()["attached"] == where


def test_a_function_reaches_a_host_behind_a_bridge(own, real, make_vpc):
    bridge = real.bridge()
    server = real.untagged_host(bridge)
    attached, other = make_vpc(), make_vpc()
    assert attached.call() == "no way"
    done = attached.attach("--bridge", bridge)
    assert done.stdout == f"{attached.id} is attached to bridge {bridge}\n"
    assert attached.call() == [GATEWAY_ADDRESS, 5]
    assert attached.shown()["gateway"]["address"] == GATEWAY_ADDRESS
    assert server.readline() == f"{GATEWAY_ADDRESS} 6\n"  # what the server itself saw, once
    assert attached.call(size=200_000) == [GATEWAY_ADDRESS, 200_000]
    assert other.call() == "no way"  # though its addresses are the same
    attached.detach()
    assert attached.call() == "no way"


def test_the_way_to_a_bridge_stands_after_restarts(own, real, make_vpc):
    bridge = real.bridge()
    real.untagged_host(bridge)
    vpc = make_vpc()
    vpc.attach("--bridge", bridge)
    assert_it_stands_after_restarts(own, vpc)


def test_a_function_reaches_a_host_in_its_vlan_and_no_other(own, real, make_vpc):
    bridge = real.bridge()
    server = real.tagged_host(bridge, vlan=7)
    vpc = make_vpc()
    vpc.attach("--bridge", bridge, "--vlan", 8)
    assert vpc.call() == "no way"
    vpc.detach()
    vpc.attach("--bridge", bridge)
    assert vpc.call() == "no way"
    vpc.detach()
    vpc.attach("--bridge", bridge, "--vlan", 7)
    assert vpc.call() == [GATEWAY_ADDRESS, 5]
    assert server.readline() == f"{GATEWAY_ADDRESS} 6\n"
    assert vpc.call(size=200_000) == [GATEWAY_ADDRESS, 200_000]


def test_a_vlan_is_not_the_bridge_without_a_tag(real, make_vpc):
    bridge = real.bridge()
    real.untagged_host(bridge)
    vpc = make_vpc()
    vpc.attach("--bridge", bridge, "--vlan", 7)
    assert vpc.call() == "no way"


def test_the_way_to_a_vlan_stands_after_restarts(own, real, make_vpc):
    bridge = real.bridge()
    real.tagged_host(bridge, vlan=4094)
    vpc = make_vpc()
    vpc.attach("--bridge", bridge, "--vlan", 4094)
    assert_it_stands_after_restarts(own, vpc)


def test_a_function_reaches_a_host_behind_a_vxlan(own, real, make_vpc):
    vpc = make_vpc()
    if not kernel_has_vxlan():
        refused = vpc.attach("--vxlan", VNI, "--remote", UNDERLAY + ".2", check=False)
        assert refused.returncode == 1 and "this kernel has no VXLAN" in refused.stderr
        assert "attached" not in vpc.shown()
        return
    server = real.vxlan_host()
    other = make_vpc()
    done = vpc.attach("--vxlan", VNI, "--remote", UNDERLAY + ".2")
    assert done.stdout == f"{vpc.id} is attached to VXLAN {VNI} to {UNDERLAY}.2\n"
    assert vpc.call() == [GATEWAY_ADDRESS, 5]
    assert server.readline() == f"{GATEWAY_ADDRESS} 6\n"
    assert vpc.call(size=200_000) == [GATEWAY_ADDRESS, 200_000]
    assert other.call() == "no way"
    vpc.detach()
    assert vpc.call() == "no way"
    vpc.attach("--vxlan", VNI + 1, "--remote", UNDERLAY + ".2")
    assert vpc.call() == "no way"


@pytest.mark.skipif(not kernel_has_vxlan(), reason="this kernel has no VXLAN")
def test_the_way_to_a_vxlan_stands_after_restarts(own, real, make_vpc):
    vpc = make_vpc()
    real.vxlan_host()
    vpc.attach("--vxlan", VNI, "--remote", UNDERLAY + ".2")
    assert_it_stands_after_restarts(own, vpc)


def test_show_tells_where_a_subnet_is_attached(own, real, make_vpc):
    bridge = real.bridge()
    vpc = make_vpc(with_function=False)
    assert "attached" not in vpc.shown()
    vpc.attach("--bridge", bridge, "--vlan", 7)
    assert vpc.shown()["attached"] == {"bridge": bridge, "vlan": 7}
    assert f"bridge {bridge} VLAN 7" in own.hearth("vpc", "show", vpc.id).stdout
    again = vpc.attach("--bridge", bridge, check=False)
    assert again.returncode == 1 and vpc.subnet in again.stderr and "detach it first" in again.stderr
    assert vpc.shown()["attached"] == {"bridge": bridge, "vlan": 7}
    vpc.detach()
    assert "attached" not in vpc.shown()
    vpc.detach()  # said again it changes nothing


def ports_of(bridge):
    return os.listdir(f"/sys/class/net/{bridge}/brif")


def test_nothing_stays_at_the_bridge(own, real, make_vpc):
    bridge = real.bridge()
    vpc = make_vpc(with_function=False)
    vpc.attach("--bridge", bridge)
    assert len(ports_of(bridge)) == 1
    vpc.detach()
    assert ports_of(bridge) == []
    vpc.attach("--bridge", bridge)
    vpc.ec2.delete_subnet(SubnetId=vpc.subnet)
    assert ports_of(bridge) == []


def test_one_of_several_subnets_is_named(own, real, make_vpc):
    bridge = real.bridge()
    vpc, other = make_vpc(with_function=False), make_vpc(with_function=False)
    second = vpc.ec2.create_subnet(VpcId=vpc.id, CidrBlock="10.66.2.0/24")["Subnet"]["SubnetId"]
    try:
        which = vpc.attach("--bridge", bridge, check=False)
        assert which.returncode == 1 and "2 subnets" in which.stderr
        vpc.attach("--bridge", bridge, "--subnet", second)
        subnets = json.loads(own.hearth("vpc", "show", vpc.id, "--json").stdout)["subnets"]
        assert {s["subnet"]: s.get("attached") for s in subnets} == {
            vpc.subnet: None, second: {"bridge": bridge, "vlan": 0}}
        of_another = vpc.attach("--bridge", bridge, "--subnet", other.subnet, check=False)
        assert of_another.returncode == 1 and other.subnet in of_another.stderr
    finally:
        vpc.ec2.delete_subnet(SubnetId=second)


REFUSED = {
    "unknown bridge": (["--bridge", "hva-no-bridge"], "hva-no-bridge"),
    "what is no bridge": (["--bridge", "lo"], "lo is no bridge"),
    "what is no interface's name": (["--bridge", "hva/b"], "'hva/b'"),
    "VLAN 0": (["--bridge", "BRIDGE", "--vlan", "0"], "--vlan"),
    "VLAN 4095": (["--bridge", "BRIDGE", "--vlan", "4095"], "--vlan"),
    "VLAN without a bridge": (["--vlan", "7"], "--bridge"),
    "VNI 0": (["--vxlan", "0", "--remote", "192.0.2.1"], "--vxlan"),
    "VNI of 25 bits": (["--vxlan", "16777216", "--remote", "192.0.2.1"], "--vxlan"),
    "VXLAN without a remote": (["--vxlan", "7"], "--remote"),
    "a remote's name": (["--vxlan", "7", "--remote", "localhost"], "remote"),
    "a remote of IPv6": (["--vxlan", "7", "--remote", "2001:db8::1"], "remote"),
    "a remote that is many": (["--vxlan", "7", "--remote", "224.0.0.1"], "remote"),
    "a remote that is none": (["--vxlan", "7", "--remote", "0.0.0.0"], "remote"),
    "both": (["--bridge", "BRIDGE", "--vxlan", "7", "--remote", "192.0.2.1"], "--bridge"),
    "neither": ([], "bridge or vxlan"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_named_and_changes_nothing(own, real, make_vpc, what):
    bridge = real.bridge()
    arguments, named = REFUSED[what]
    vpc = make_vpc(with_function=False)
    refused = vpc.attach(*(bridge if argument == "BRIDGE" else argument for argument in arguments), check=False)
    assert refused.returncode in (1, 2) and refused.stdout == ""
    assert named in refused.stderr and refused.stderr.count("\n") == 1
    assert "attached" not in vpc.shown() and ports_of(bridge) == []


def test_the_vpc_of_any_account_is_found_and_no_other(own, real):
    bridge = real.bridge()
    key = json.loads(own.hearth("account", "create", ACCOUNT, "--json").stdout)
    try:
        ec2 = own.client("ec2", key)
        vpc = ec2.create_vpc(CidrBlock="10.66.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.66.1.0/24")["Subnet"]["SubnetId"]
        own.hearth("vpc", "attach", vpc, "--bridge", bridge)
        assert json.loads(own.hearth("vpc", "show", vpc, "--json").stdout)["account"] == ACCOUNT
        assert len(ports_of(bridge)) == 1
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)
    finally:
        own.hearth("account", "delete", ACCOUNT)
    missing = own.hearth("vpc", "attach", "vpc-0", "--bridge", bridge, check=False)
    assert missing.returncode == 1 and "vpc-0" in missing.stderr
