"""kill -9 of each process, under load: what was acknowledged is there, nothing is left behind, the next call works."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from conftest import create_function
from gate import WAIT, Gate
from instance import Instance, wait_until

HELLO = "def handler(event, context):\n    return event\n"


@pytest.fixture
def own():
    instance = Instance("hrec", {"pool.min": 2}).start()
    yield instance
    instance.stop()
    left = instance.leftovers()
    logs = instance.logs()
    instance.remove()
    assert left == [], f"left behind: {left}\n{logs}"


class Load:
    """Invokes in threads until stopped; keeps every answer and every error."""

    def __init__(self, instance, name, threads=4):
        self.answers, self.errors, self.wrong = 0, [], []
        self.ended = threading.Event()
        self.client = instance.client("lambda")
        self.threads = [threading.Thread(target=self.run, args=(name, i)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, name, number):
        while not self.ended.is_set():
            try:
                reply = self.client.invoke(FunctionName=name, Payload=json.dumps({"n": number}))
                body = json.loads(reply["Payload"].read())
                if "FunctionError" in reply:
                    self.errors.append(body)
                elif body != {"n": number}:
                    self.wrong.append(body)
                else:
                    self.answers += 1
            except (BotoCoreError, ClientError) as error:
                self.errors.append(error)
                self.ended.wait(0.05)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def unexplained(self):
        """Errors that are not those of a server which is away: a lost connection, a 5xx or a 429."""
        def explained(error):
            if isinstance(error, ClientError):
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                return status >= 500 or status == 429
            return isinstance(error, (BotoConnectionError, HTTPClientError))
        return [error for error in self.errors if not explained(error)]


def invoke(instance, name):
    return json.loads(instance.client("lambda").invoke(FunctionName=name, Payload=b'{"a":1}')["Payload"].read())


def test_hearthd_killed_under_load(own):
    client = own.client("lambda")
    create_function(client, "fn", {"app.py": HELLO})
    load = Load(own, "fn")
    wait_until(lambda: load.answers > 50, what="load")
    acknowledged = []
    for i in range(3):
        create_function(client, f"kept-{i}", {"app.py": HELLO}, wait=False)
        acknowledged.append(f"kept-{i}")
        own.kill(own.hearthd)
        own.start_hearthd()
        client = own.client("lambda")
    load.stop()
    assert load.wrong == [] and load.unexplained() == []
    names = [f["FunctionName"] for f in client.list_functions()["Functions"]]
    assert set(acknowledged) <= set(names)
    for name in acknowledged:
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
        assert invoke(own, name) == {"a": 1}


def test_acknowledged_event_survives_kill(own):
    """Events that were in hand when hearthd died are leased again when their lease (30 s) has ended."""
    client = own.client("lambda")
    code = WAIT + "def handler(event, context):\n    wait_at(event['gate'])\n    print('handled', event['i'])\n"
    create_function(client, "slow", {"app.py": code})
    with Gate(own) as gate:
        for i in range(20):
            reply = client.invoke(FunctionName="slow", InvocationType="Event", Payload=json.dumps({"i": i, "gate": gate.port}))
            assert reply["StatusCode"] == 202
        gate.wait_for()
        own.kill(own.hearthd)
        assert "handled" not in own.function_log("slow")
    own.start_hearthd()
    wait_until(lambda: all(f"handled {i}\n" in own.function_log("slow") for i in range(20)), seconds=90, every=0.5,
               what="20 events handled")


def test_warden_killed_under_load(own):
    create_function(own.client("lambda"), "fn", {"app.py": HELLO})
    load = Load(own, "fn")
    wait_until(lambda: load.answers > 50, what="load")
    own.kill(own.warden)
    before = load.answers
    wait_until(lambda: load.answers > before + 50, what="bound instances going on without the warden")
    own.start_warden()
    before = load.answers
    wait_until(lambda: load.answers > before + 50, what="calls after the warden is back")
    load.stop()
    assert load.wrong == [] and load.errors == []
    create_function(own.client("lambda"), "new", {"app.py": HELLO})
    assert invoke(own, "new") == {"a": 1}


ECHO_SERVER = """
import socketserver

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)

socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("0.0.0.0", 7000), Echo).serve_forever()
"""

ECHO_ADDRESS = "198.51.100.1"

# One connection is held over all calls, one is made anew for each.
ECHO_CLIENT = f"""
ADDRESS = "{ECHO_ADDRESS}"
""" + """
import json
import socket

def connect():
    return socket.create_connection((ADDRESS, 7000), timeout=5).makefile("rw")

held = connect()

def handler(event, context):
    for connection in (held, connect()):
        connection.write(json.dumps(event) + "\\n")
        connection.flush()
        answer = json.loads(connection.readline())
    return answer
"""


def gateway_pid(instance):
    """The gateway process that is there now, None when there is none."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"hearth-gateway" in command and f"{instance.run_dir}/gateways".encode() in command:
            return int(process.name)
    return None


def test_gateway_killed_under_load(own):
    """Packets are translated in the kernel: the death of the process costs no call, no held and no new connection."""
    subprocess.run(["ip", "-n", own.outside, "addr", "add", ECHO_ADDRESS + "/32", "dev", "lo"], check=True)
    server = subprocess.Popen(["ip", "netns", "exec", own.outside, sys.executable, "-c", ECHO_SERVER])
    try:
        create_function(own.client("lambda"), "echo", {"app.py": ECHO_CLIENT})
        load = Load(own, "echo", threads=2)
        wait_until(lambda: load.answers > 50, what="load")
        for _ in range(3):
            pid, before = gateway_pid(own), load.answers
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: gateway_pid(own) not in (None, pid), what="another gateway process")
            wait_until(lambda: load.answers > before + 50, what="calls that go on")
        load.stop()
        assert load.wrong == [] and load.errors == []
    finally:
        server.terminate()
        server.wait()


def test_call_in_flight_when_its_container_dies(own):
    client = own.client("lambda")
    create_function(client, "fn", {"app.py": "import os, signal\ndef handler(event, context):\n    os.kill(os.getpid(), signal.SIGKILL)\n"})
    began = time.monotonic()
    reply = client.invoke(FunctionName="fn")
    assert reply["FunctionError"] == "Unhandled" and time.monotonic() - began < 5
    assert json.loads(reply["Payload"].read())["errorType"] == "Runtime.ExitError"


def test_everything_killed_then_purged(own):
    create_function(own.client("lambda"), "fn", {"app.py": HELLO})
    assert invoke(own, "fn") == {"a": 1}
    own.kill(own.hearthd)
    own.kill(own.warden)
    # the fixture's stop() purges and checks that nothing is left


def test_a_warden_that_cannot_start_leaves_the_host_as_it_was():
    instance = Instance("hrcu")  # whose way out is not there
    assert instance.spawn("hearth-warden").wait(20) == 1
    assert not pathlib.Path("/run/hearth-rcu/hrcu").exists(), instance.logs()
    instance.stop()
    assert instance.leftovers() == []
    instance.remove()
