"""Asynchronous invocations: accepted at once, delivered once, tried again, kept through kill -9, bounded."""
import base64
import collections
import contextlib
import json
import re
import sqlite3
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import create_function, zip_of
from gate import WAIT, Gate
from instance import instance_of_ones_own, wait_until

LIMIT = 1024 * 1024
QUEUE_LIMIT = 100_000

HANDLED = WAIT + """
def handler(event, context):
    if event.get("gate"):
        wait_at(event["gate"])
    print("handled", event.get("n"), context.aws_request_id)
"""
NAMED_CONTEXT = """
def handler(event, context):
    print("handled", event["n"], context.aws_request_id, context.client_context.custom["k"])
"""
FAILS_AT_FIRST = """
import time
def handler(event, context):
    print("attempt", context.aws_request_id, time.time())
    if time.time() < event["fails_until"]:
        raise RuntimeError("not yet")
"""


@pytest.fixture(scope="module", autouse=True)
def patient():
    """Has an event whose first try failed, before the other tests: its second try is a minute away. hearthd was killed
    since. → (instance, the event's request id)"""
    with instance_of_ones_own("hevp", {"pool.min": 2}) as instance:
        client = instance.client("lambda")
        create_function(client, "fails", {"app.py": FAILS_AT_FIRST})
        request_id = send(client, "fails", {"fails_until": time.time() + 30})
        wait_until(lambda: counters(instance)["retried"] == 1, what="the first failure")
        wait_until(lambda: request_id in instance.function_log("fails"), what="its log on disk")
        kill_hearthd(instance, client, "fails")
        yield instance, request_id


@pytest.fixture(scope="module")
def own():
    with instance_of_ones_own("heve", {"pool.min": 2}) as instance:
        yield instance


@pytest.fixture(scope="module")
def client(own):
    return own.client("lambda")


@pytest.fixture
def function(client, unique):
    """function(code, concurrency=None) → name; deleted after the test."""
    made = []

    def make(code=HANDLED, concurrency=None):
        name = unique("ev")
        create_function(client, name, {"app.py": code})
        made.append(name)
        if concurrency is not None:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=concurrency)
        return name

    yield make
    for name in made:
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)


def kill_hearthd(instance, client, name):
    """kill -9 and start again, not before the delays of events are on disk: writes get there in their order."""
    client.tag_resource(Resource=f"arn:aws:lambda:us-east-1:000000000000:function:{name}", Tags={"kept": "before"})
    instance.kill(instance.hearthd)
    instance.start_hearthd()


def send(client, name, event, **arguments):
    """The request id of the event that was accepted."""
    reply = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **arguments)
    assert reply["StatusCode"] == 202 and reply["Payload"].read() == b"" and "FunctionError" not in reply
    return reply["ResponseMetadata"]["RequestId"]


def counters(instance):
    """{"accepted": 1, "done": 0, …}"""
    with urllib.request.urlopen(f"{instance.url}/metrics", timeout=5) as reply:
        text = reply.read().decode()
    return {what: int(count) for what, count in re.findall(r'hearth_events_total{what="(\w+)"} (\d+)', text)}


def difference(instance, before):
    return {what: count - before[what] for what, count in counters(instance).items()}


def lines_of(instance, name, word):
    """What the function printed in lines that begin with that word, each a list of words."""
    logged = instance.hearth("logs", name, "--tail", "10000", "--json").stdout.splitlines()
    texts = [json.loads(line)["text"] for line in logged]
    return [text.split()[1:] for text in texts if text.startswith(word + " ")]


def handled(instance, name):
    """How often which (n, request id) was handled."""
    return collections.Counter((line[0], line[1]) for line in lines_of(instance, name, "handled"))


def in_flight(instance):
    return json.loads(instance.hearth("pool", "--json").stdout)["events_in_flight"]


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response


def test_an_event_is_accepted_before_it_runs_and_delivered_once(own, client, function):
    name = function(NAMED_CONTEXT)
    before = counters(own)
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    request_id = send(client, name, {"n": 7}, ClientContext=context)
    wait_until(lambda: difference(own, before)["done"] == 1, what="the event's end")
    assert difference(own, before) == {"accepted": 1, "done": 1, "retried": 0, "dropped": 0}
    wait_until(lambda: lines_of(own, name, "handled"), what="its line in the log")
    assert lines_of(own, name, "handled") == [["7", request_id, "v"]]
    record, = json.loads(own.hearth("invocations", name, "--json").stdout)
    assert (record["request_id"], record["outcome"]) == (request_id, "ok")


def test_the_acceptance_does_not_wait_for_the_function(own, client, function):
    name = function()
    with Gate(own) as gate:
        request_id = send(client, name, {"n": 1, "gate": gate.port})
        gate.wait_for()
        assert handled(own, name) == {} and in_flight(own) == 1
    wait_until(lambda: handled(own, name) == {("1", request_id): 1}, what="the event's run")
    wait_until(lambda: in_flight(own) == 0, what="nothing in flight")


def test_events_that_wait_survive_kill_and_run_once(own, client, function):
    name = function(concurrency=0)
    sent = {(str(n), send(client, name, {"n": n})) for n in range(10)}
    wait_until(lambda: counters(own)["retried"] >= 10, what="events that are put off")
    kill_hearthd(own, client, name)
    # hearthd knows them again, and may not run them yet.
    wait_until(lambda: counters(own)["retried"] >= 10, seconds=60, what="events that are put off again")
    assert handled(own, name) == {}
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    wait_until(lambda: counters(own)["done"] == 10, seconds=60, what="10 events done")
    wait_until(lambda: len(handled(own, name)) == 10, what="their lines in the log")
    assert handled(own, name) == dict.fromkeys(sent, 1)
    assert counters(own)["accepted"] == 0 and counters(own)["dropped"] == 0


def test_the_events_of_a_function_limited_to_one_follow_one_another(own, client, function):
    """Those that are throttled do not stay away for longer than the function is busy."""
    name = function(concurrency=1)
    before = counters(own)
    with Gate(own) as gate:
        sent = {("0", send(client, name, {"n": 0, "gate": gate.port}))}
        gate.wait_for()
        sent |= {(str(n), send(client, name, {"n": n})) for n in range(1, 30)}
        wait_until(lambda: difference(own, before)["retried"] >= 1, what="events that are put off")
    wait_until(lambda: difference(own, before)["done"] == 30, seconds=60, what="30 events done")
    wait_until(lambda: len(handled(own, name)) == 30, what="their lines in the log")
    assert handled(own, name) == dict.fromkeys(sent, 1)
    assert difference(own, before)["dropped"] == 0


def test_events_that_wait_hold_up_nobody_and_are_dropped_with_their_function(own, client, function):
    gone, other = function(concurrency=0), function()
    before = counters(own)
    for n in range(100):  # more than run at once
        send(client, gone, {"n": n})
    first = send(client, other, {"n": 1})
    wait_until(lambda: handled(own, other) == {("1", first): 1}, what="the other function's event")
    assert difference(own, before)["done"] == 1 and difference(own, before)["dropped"] == 0
    client.delete_function(FunctionName=gone)
    wait_until(lambda: difference(own, before)["dropped"] == 100, seconds=60, what="100 events dropped")
    second = send(client, other, {"n": 2})
    wait_until(lambda: handled(own, other) == {("1", first): 1, ("2", second): 1}, what="the other's next event")
    assert difference(own, before)["done"] == 2


def test_what_still_waits_runs_with_the_code_of_then(own, client, function):
    name = function(concurrency=0)
    before = counters(own)
    request_id = send(client, name, {"n": 3})
    wait_until(lambda: difference(own, before)["retried"] >= 1, what="an event that is put off")
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": HANDLED.replace('"handled"', '"anew"')}))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    client.delete_function_concurrency(FunctionName=name)
    wait_until(lambda: lines_of(own, name, "anew"), seconds=30, what="the event's run")
    assert lines_of(own, name, "anew") == [["3", request_id]] and lines_of(own, name, "handled") == []


def test_what_is_no_event_is_refused_and_never_queued(own, client, function):
    name = function("def handler(event, context):\n    print('handled', len(event), context.aws_request_id)\n")
    before = counters(own)
    over = refusal(client.invoke, FunctionName=name, InvocationType="Event", Payload=json.dumps("a" * (LIMIT - 1)))
    assert over["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert over["Error"]["Code"] == "RequestTooLargeException"
    assert over["Error"]["Message"] == f"Request must be smaller than {LIMIT} bytes for the InvokeFunction operation"
    far_over = refusal(client.invoke, FunctionName=name, InvocationType="Event", Payload=b'"' + b"a" * 7 * LIMIT + b'"')
    assert far_over["Error"]["Code"] == "RequestTooLargeException"
    no_json = refusal(client.invoke, FunctionName=name, InvocationType="Event", Payload=b"{")
    assert no_json["Error"]["Code"] == "InvalidRequestContentException"
    nobody = refusal(client.invoke, FunctionName="nobody", InvocationType="Event", Payload=b"{}")
    assert nobody["Error"]["Code"] == "ResourceNotFoundException"
    assert difference(own, before)["accepted"] == 0
    request_id = send(client, name, "a" * (LIMIT - 2))  # and with the quotes it is just not too large
    wait_until(lambda: handled(own, name), what="the largest event's run")
    assert handled(own, name) == {(str(LIMIT - 2), request_id): 1}


def fill_queue(instance, items):
    """As many items that are not due for an hour, put where hearthd, which must be stopped, keeps them."""
    now = int(time.time() * 1000)
    with contextlib.closing(sqlite3.connect(instance.state / "hearth.db")) as database, database:
        database.execute(
            "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?) "
            "INSERT INTO item(queue, body, attempts, enqueued_at, due_at) SELECT 'events/000000000000', '{}', 0, ?, ? FROM number",
            (items, now, now + 3_600_000))


def test_a_full_queue_refuses_until_there_is_room():
    with instance_of_ones_own("hevf", {"pool.min": 2}) as full:
        full.hearthd.terminate()
        full.hearthd.wait(20)
        fill_queue(full, QUEUE_LIMIT - 5)
        full.start_hearthd()
        client = full.client("lambda")
        for name in ("waits", "runs"):
            create_function(client, name, {"app.py": HANDLED})
        client.put_function_concurrency(FunctionName="waits", ReservedConcurrentExecutions=0)
        for n in range(5):
            send(client, "waits", {"n": n})
        refused = refusal(client.invoke, FunctionName="runs", InvocationType="Event", Payload=b"{}")
        assert refused["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert refused["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
        assert refused["Error"]["Code"] == "TooManyRequestsException" and "Rate Exceeded" in refused["Error"]["Message"]
        assert counters(full)["accepted"] == 5
        # Calls that somebody waits for need no room in the queue.
        assert client.invoke(FunctionName="runs", Payload=b"{}")["StatusCode"] == 200
        client.delete_function(FunctionName="waits")
        wait_until(lambda: counters(full)["dropped"] == 5, seconds=30, what="room in the queue")
        request_id = send(client, "runs", {"n": 1})
        wait_until(lambda: handled(full, "runs")[("1", request_id)] == 1, what="the event's run")


def test_a_failed_event_is_tried_again_after_a_minute_though_hearthd_was_killed(patient):
    instance, request_id = patient
    wait_until(lambda: len(lines_of(instance, "fails", "attempt")) >= 2, seconds=90, every=0.5, what="the second try")
    wait_until(lambda: counters(instance)["done"] == 1, what="its success")
    (first, began), (second, again) = lines_of(instance, "fails", "attempt")
    assert first == second == request_id
    assert 59.5 < float(again) - float(began) < 90
    assert counters(instance) == {"accepted": 0, "done": 1, "retried": 0, "dropped": 0}
