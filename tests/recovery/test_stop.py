"""SIGTERM to hearthd, and what it throws away on purpose: events of a reset account, logs of deleted functions."""
import contextlib
import json
import os
import sqlite3
import threading
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import create_function
from gate import GATED, Gate
from instance import instance_of_ones_own, wait_until

HELLO = "def handler(event, context):\n    print('hello')\n    return event\n"
ACCOUNT = "000000000000"
KEPT = 100


@pytest.fixture(scope="module")
def own():
    with instance_of_ones_own("hstp", {"pool.min": 2, "testing.reset": True}) as instance:
        yield instance


class Call(threading.Thread):
    def __init__(self, client, name, event):
        super().__init__()
        self.client, self.name_, self.event = client, name, event
        self.answer = self.error = None
        self.start()

    def run(self):
        try:
            reply = self.client.invoke(FunctionName=self.name_, Payload=json.dumps(self.event))
            self.answer = json.loads(reply["Payload"].read())
        except Exception as error:  # whatever it is, the test judges it
            self.error = error


def test_calls_under_way_get_their_answer_or_a_refusal(own):
    client = own.client("lambda")
    create_function(client, "slow", {"app.py": GATED}, Timeout=100)
    with Gate(own) as ends, Gate(own) as stays:
        quick, slow = Call(client, "slow", {"gate": ends.port}), Call(client, "slow", {"gate": stays.port})
        ends.wait_for()
        stays.wait_for()
        began = time.monotonic()
        own.hearthd.terminate()
        wait_until(lambda: not own.healthy(), what="a hearthd that takes no more calls")
        ends.open()
        quick.join()
        slow.join()
        assert own.hearthd.wait(20) == 0 and time.monotonic() - began < 10
    own.start_hearthd()
    assert quick.answer == {"gate": ends.port}, quick.error
    assert isinstance(slow.error, ClientError), slow.answer or slow.error
    assert slow.error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


def test_a_reset_accounts_events_are_gone(own):
    client = own.client("lambda")
    create_function(client, "waits", {"app.py": HELLO})
    client.put_function_concurrency(FunctionName="waits", ReservedConcurrentExecutions=0)
    for _ in range(3):
        client.invoke(FunctionName="waits", InvocationType="Event", Payload=b"{}")
    urllib.request.urlopen(urllib.request.Request(f"{own.url}/_hearth/reset", method="POST"), timeout=30).read()
    assert client.list_functions()["Functions"] == []
    own.hearthd.terminate()
    own.hearthd.wait(20)
    with contextlib.closing(sqlite3.connect(own.state / "hearth.db")) as database:
        assert database.execute("SELECT count(*) FROM item").fetchone() == (0,)
    own.start_hearthd()


def test_of_deleted_functions_the_newest_logs_stay(own):
    client = own.client("lambda")
    create_function(client, "last", {"app.py": HELLO})
    client.invoke(FunctionName="last", Payload=b"{}")
    wait_until(lambda: "hello" in own.function_log("last"), what="its log")
    folder = own.state / "logs" / ACCOUNT
    for file in folder.glob("*.log"):
        if file.name != "last.log":
            file.unlink()
    for n in range(KEPT + 1):
        file = folder / f"gone-{n}.log"
        file.write_text("")
        os.utime(file, (1_700_000_000 + n, 1_700_000_000 + n))
    client.delete_function(FunctionName="last")
    wait_until(lambda: len(list(folder.iterdir())) <= KEPT, seconds=30, what="the oldest files' end")
    names = {file.name for file in folder.iterdir()}
    assert names == {"last.log", *(f"gone-{n}.log" for n in range(2, KEPT + 1))}
