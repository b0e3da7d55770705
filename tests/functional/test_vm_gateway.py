"""A function reaches its VPC through a gateway in a machine of its own: gateway.driver = vm, emulated.

The machine's image is made by a whole build; the sanitizers' builds have none.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest

from conftest import create_function
from instance import BUILD, instance_of_ones_own, wait_until

PREFIX = f"hvm{os.getpid() % 10_000}"
pytestmark = pytest.mark.skipif(not (BUILD / "gateway-image" / "initramfs").exists(), reason="no image of a machine in this build")

SERVER = """
import socket
listener = socket.create_server(("0.0.0.0", 7777))
print("ready", flush=True)
while True:
    client, address = listener.accept()
    with client:
        client.sendall(address[0].encode())
"""

CALLER = """
import socket
def handler(event, context):
    try:
        with socket.create_connection((event["to"], 7777), timeout=4) as server:
            return server.makefile().readline()
    except OSError:
        return "no way"
"""


@pytest.fixture(scope="module")
def own():
    with instance_of_ones_own(PREFIX, {"gateway.driver": "vm", "gateway.accelerator": "tcg"}) as instance:
        yield instance


@contextlib.contextmanager
def server_on(netns):
    process = subprocess.Popen(["ip", "netns", "exec", netns, sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def function(own):
    """Name of a function in a VPC, and the address of a server there."""
    ec2 = own.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.66.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.66.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="vm", Description="vm", VpcId=vpc)["GroupId"]
    host = f"{PREFIX}-host"
    address = json.loads(own.hearth("vpc", "host", "add", vpc, subnet, host, "--json").stdout)["address"]
    with server_on(host):
        client = own.client("lambda")
        create_function(client, "caller", {"app.py": CALLER}, VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})
        yield "caller", address
        client.delete_function(FunctionName="caller")
    own.hearth("vpc", "host", "remove", host)


def answer(own, function):
    name, address = function
    reply = own.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"to": address}))
    return json.load(reply["Payload"])


def machine(own):
    """Id of the process that is the gateway's machine; 0 while there is none."""
    lock = next((own.run_dir / "gateways").glob("*.lock"), None)
    return int(lock.read_text() or 0) if lock else 0


def test_a_function_reaches_its_vpc_and_is_seen_as_the_gateway(own, function):
    listed = json.loads(own.hearth("gateway", "list", "--json").stdout)
    assert [gateway["driver"] for gateway in listed] == ["vm (tcg)"]
    assert answer(own, function) == listed[0]["address"]


def test_the_log_says_where_gateways_are_hosted(own, function):
    assert "is hosted by the driver vm (tcg)" in own.logs()


def test_a_machine_that_is_killed_is_made_again_and_found_by_the_next_warden(own, function):
    before = machine(own)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: machine(own) not in (0, before), what="another machine")
    wait_until(lambda: answer(own, function) != "no way", seconds=60, what="the way through it")
    after = machine(own)
    own.kill(own.warden)
    own.start_warden()
    wait_until(lambda: own.hearth("gateway", "list", check=False).returncode == 0, seconds=60, what="another warden")
    wait_until(lambda: answer(own, function) != "no way", seconds=60, what="the way under another warden")
    assert machine(own) == after
