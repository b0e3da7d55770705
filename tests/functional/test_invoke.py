"""Invoking: kinds, logs, context, limits, concurrency, new code after an update, calls from inside a function."""
import base64
import concurrent.futures
import contextlib
import json
import pathlib
import threading
import time

import pytest
from botocore.exceptions import ClientError

from conftest import zip_of
from gate import GATED, WAIT, Gate
from instance import wait_until

ECHO = "def handler(event, context):\n    return event\n"


def invoke(client, name, event=None, **arguments):
    reply = client.invoke(FunctionName=name, Payload=json.dumps(event), **arguments)
    return json.loads(reply["Payload"].read())


def test_the_event_comes_back(lambda_client, make_function):
    name = make_function(ECHO)
    for event in ({"a": [1, 2.5, None, True, "é\u2028💡"]}, [], "text", 7, None):
        reply = lambda_client.invoke(FunctionName=name, Payload=json.dumps(event))
        assert reply["StatusCode"] == 200 and reply["ExecutedVersion"] == "$LATEST"
        assert "FunctionError" not in reply
        assert json.loads(reply["Payload"].read()) == event


def test_log_tail(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    print('hello', event)\n    return 1\n", MemorySize=128)
    reply = lambda_client.invoke(FunctionName=name, LogType="Tail", Payload=b'"x"')
    log = base64.b64decode(reply["LogResult"]).decode()
    request_id = reply["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request_id} Version: $LATEST" in log
    assert "hello x" in log and f"END RequestId: {request_id}" in log
    report = next(line for line in log.splitlines() if line.startswith(f"REPORT RequestId: {request_id}"))
    for part in ("Duration: ", "Billed Duration: ", "Memory Size: 128 MB", "Max Memory Used: ", "Init Duration: "):
        assert part in report
    again = base64.b64decode(lambda_client.invoke(FunctionName=name, LogType="Tail", Payload=b'"x"')["LogResult"]).decode()
    assert "Init Duration" not in again
    assert "LogResult" not in lambda_client.invoke(FunctionName=name, Payload=b'"x"')


def test_the_log_tail_is_the_last_4_kilobytes(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    for i in range(2000): print('line', i)\n")
    log = base64.b64decode(lambda_client.invoke(FunctionName=name, LogType="Tail")["LogResult"])
    assert len(log) <= 4096 and b"line 1999" in log and b"line 1000\n" not in log


def test_context_and_environment(lambda_client, make_function):
    code = """
import os
def handler(event, context):
    return {'name': context.function_name, 'version': context.function_version, 'arn': context.invoked_function_arn,
            'memory': context.memory_limit_in_mb, 'id': context.aws_request_id, 'left': context.get_remaining_time_in_millis(),
            'group': context.log_group_name, 'stream': context.log_stream_name,
            'custom': context.client_context.custom if context.client_context else None,
            'environment': dict(os.environ), 'cwd': os.getcwd(), 'file': __file__}
"""
    name = make_function(code, Timeout=5, MemorySize=192, Environment={"Variables": {"MINE": "é"}})
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    reply = lambda_client.invoke(FunctionName=name, ClientContext=context)
    told = json.loads(reply["Payload"].read())
    assert told["name"] == name and told["version"] == "$LATEST" and told["memory"] in (192, "192")
    assert told["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert told["id"] == reply["ResponseMetadata"]["RequestId"]
    assert 0 < told["left"] <= 5000 and told["custom"] == {"k": "v"}
    assert told["group"] == f"/aws/lambda/{name}" and told["stream"]
    assert told["cwd"] == "/var/task" and told["file"] == "/var/task/app.py"
    expected = {"MINE": "é", "_HANDLER": "app.handler", "LAMBDA_TASK_ROOT": "/var/task", "AWS_REGION": "us-east-1",
                "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "192", "TZ": ":UTC",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}
    assert {key: told["environment"].get(key) for key in expected} == expected
    assert not [key for key in told["environment"] if key.startswith("HEARTH_")]


def test_dry_run_runs_nothing(lambda_client, make_function):
    name = make_function("raise RuntimeError('must not run')\n")
    assert lambda_client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204


def test_an_event_is_run_once_though_nobody_waits(hearth, lambda_client, make_function):
    name = make_function("def handler(event, context):\n    print('event number', event['n'])\n")
    reply = lambda_client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n":41}')
    assert reply["StatusCode"] == 202 and reply["Payload"].read() == b""
    logs = lambda: hearth.hearth("logs", name).stdout  # noqa: E731
    wait_until(lambda: "END RequestId" in logs(), what="the event's run")
    assert logs().count("event number 41") == 1


def test_payload_limits(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    return 'x' * event if isinstance(event, int) else len(event)\n",
                         MemorySize=512)
    limit = 6 * 1024 * 1024
    assert invoke(lambda_client, name, "a" * (limit - 2)) == limit - 2
    with pytest.raises(ClientError) as over:
        invoke(lambda_client, name, "a" * limit)
    assert over.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert len(invoke(lambda_client, name, limit - 2)) == limit - 2
    reply = lambda_client.invoke(FunctionName=name, Payload=json.dumps(limit + 1024))
    assert reply["FunctionError"] == "Unhandled"
    assert json.loads(reply["Payload"].read())["errorType"] == "Function.ResponseSizeTooLarge"
    with pytest.raises(ClientError) as over:
        lambda_client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps("a" * (1024 * 1024)))
    assert over.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert invoke(lambda_client, name, "still here") == 10


def test_a_payload_that_is_not_json(lambda_client, make_function):
    name = make_function(ECHO)
    for payload in (b"{", b"nope", b"{'a': 1}", b"[1,]"):
        with pytest.raises(lambda_client.exceptions.InvalidRequestContentException) as refused:
            lambda_client.invoke(FunctionName=name, Payload=payload)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_instance_is_used_again_and_keeps_its_state(lambda_client, make_function):
    name = make_function("import uuid\nme = str(uuid.uuid4())\ncalls = 0\n"
                         "def handler(event, context):\n    global calls\n    calls += 1\n    return [me, calls]\n")
    first, second = invoke(lambda_client, name), invoke(lambda_client, name)
    assert first[0] == second[0] and (first[1], second[1]) == (1, 2)


def test_reserved_concurrency(lambda_client, make_function):
    name = make_function(ECHO)
    assert lambda_client.put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"] == 0
    with pytest.raises(lambda_client.exceptions.TooManyRequestsException) as throttled:
        invoke(lambda_client, name, {})
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert "Rate Exceeded" in str(throttled.value)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    assert lambda_client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 2
    assert lambda_client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 2}
    lambda_client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in lambda_client.get_function_concurrency(FunctionName=name)
    assert invoke(lambda_client, name, {}) == {}
    with pytest.raises(lambda_client.exceptions.InvalidParameterValueException) as refused:
        lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=950)
    assert "below its minimum value" in str(refused.value)


def test_a_thousand_requests_to_a_function_limited_to_one(hearth, lambda_client, make_function):
    name = make_function(GATED, Timeout=120)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    invoke(lambda_client, name, {})

    def one(event):
        try:
            return invoke(lambda_client, name, event)["n"] == event["n"]
        except lambda_client.exceptions.TooManyRequestsException:
            return None

    with Gate(hearth) as gate, concurrent.futures.ThreadPoolExecutor(50) as pool:
        first = pool.submit(one, {"n": 0, "gate": gate.port})
        gate.wait_for()
        outcomes = list(pool.map(one, [{"n": number} for number in range(1, 1000)]))
        gate.open()
        outcomes.append(first.result())
    assert False not in outcomes
    assert outcomes.count(True) == 1 and outcomes.count(None) == 999
    assert invoke(lambda_client, name, {"after": 1}) == {"after": 1}


def test_a_burst_of_50_cold_starts(hearth, lambda_client, make_function):
    name = make_function(WAIT + "import uuid\nme = str(uuid.uuid4())\n"
                         "def handler(event, context):\n    wait_at(event)\n    return me\n")
    start = threading.Barrier(50)

    def one(gate):
        start.wait()
        return invoke(lambda_client, name, gate.port)

    with Gate(hearth) as gate, concurrent.futures.ThreadPoolExecutor(50) as pool:
        calls = [pool.submit(one, gate) for _ in range(50)]
        gate.wait_for(50)
        gate.open()
        instances = [call.result() for call in calls]
    assert len(instances) == 50 and len(set(instances)) == 50


def test_an_update_never_serves_old_code(lambda_client, make_function):
    code = "def handler(event, context):\n    return {n}\n"
    name = make_function(code.format(n=0))
    seen, failures, ended = [], [], threading.Event()
    floor = [0]

    def ask():
        while not ended.is_set():
            least = floor[0]
            try:
                seen.append((least, invoke(lambda_client, name)))
            except Exception as error:
                failures.append(error)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    def answers():
        return {answer for _, answer in seen}

    for asker in askers:
        asker.start()
    wait_until(lambda: 0 in answers(), what="an answer of the first code")
    for n in range(1, 6):
        lambda_client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": code.format(n=n)}))
        lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500})
        floor[0] = n  # from here on, an invocation that begins must see it
        assert invoke(lambda_client, name) == n
    wait_until(lambda: 5 in answers(), what="an answer of the last code")
    ended.set()
    for asker in askers:
        asker.join()
    assert failures == []
    assert [pair for pair in seen if pair[1] < pair[0]] == []
    assert {0, 5} <= answers()


def test_new_configuration_reaches_new_invocations(lambda_client, make_function):
    name = make_function("import os\ndef handler(event, context):\n    return os.environ.get('XX')\n")
    assert invoke(lambda_client, name) is None
    lambda_client.update_function_configuration(FunctionName=name, Environment={"Variables": {"XX": "2"}})
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500})
    assert invoke(lambda_client, name) == "2"


def test_a_function_invokes_another_with_boto3(lambda_client, make_function):
    callee = make_function(ECHO)
    caller = make_function("""
import boto3, json
def handler(event, context):
    reply = boto3.client('lambda').invoke(FunctionName=event['callee'], Payload=json.dumps(event['pass']))
    return json.loads(reply['Payload'].read())
""", Timeout=30, MemorySize=512)
    assert invoke(lambda_client, caller, {"callee": callee, "pass": {"x": 1}}) == {"x": 1}


def test_a_container_sees_no_other_functions_code(lambda_client, make_function):
    first = make_function("open('/tmp/left', 'w').write('secret')\ndef handler(event, context):\n    return 1\n")
    invoke(lambda_client, first)
    second = make_function("import os\ndef handler(event, context):\n    return [os.listdir('/var/task'), os.listdir('/tmp')]\n")
    task, tmp = invoke(lambda_client, second)
    assert [name for name in task if name != "__pycache__"] == ["app.py"] and tmp == []


def test_calls_in_parallel_overlap(hearth, lambda_client, make_function):
    name = make_function(GATED)
    for _ in range(2):
        with Gate(hearth) as gate, concurrent.futures.ThreadPoolExecutor(10) as pool:
            calls = [pool.submit(invoke, lambda_client, name, {"gate": gate.port}) for _ in range(10)]
            gate.wait_for(10)
            gate.open()
            assert [call.result() for call in calls] == [{"gate": gate.port}] * 10


def page_faults(instance):
    """{pid: minor page faults} of all processes in the instance's containers."""
    found = {}
    for base in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        for file in pathlib.Path(base, instance.name).rglob("cgroup.procs"):
            for pid in file.read_text().split():
                with contextlib.suppress(OSError):
                    found[pid] = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[7])
    return found


def test_a_start_finds_the_memory_that_it_writes_to(hearth, lambda_client, make_function):
    """Copied ahead (shims/python/pages.h); without that a start has some 300 page faults."""
    name = make_function("def handler(event, context):\n    return 1\n")
    wait_until(lambda: json.loads(hearth.hearth("pool", "--json").stdout)["pools"][0]["stock"] >= 4, what="a full pool")
    before = page_faults(hearth)
    assert invoke(lambda_client, name) == 1
    after = page_faults(hearth)
    growth = sorted(after[pid] - before[pid] for pid in before.keys() & after.keys())
    assert 0 < growth[-1] < 150
