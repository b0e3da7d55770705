"""Handlers that fail: each way gets AWS's error under 200, and the next call finds a sound instance."""
import base64
import json
import re
import time

import pytest

NEVER = "import threading\ndef never():\n    threading.Event().wait()\n"
GOOD = "def handler(event, context):\n    return 'sound'\n"


def failure(client, name, event=None):
    reply = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    body = json.loads(reply["Payload"].read())
    assert reply["StatusCode"] == 200
    assert reply.get("FunctionError") == "Unhandled", body
    body["log"] = base64.b64decode(reply["LogResult"]).decode()
    body["id"] = reply["ResponseMetadata"]["RequestId"]
    return body


def test_an_exception_has_type_message_and_trace(lambda_client, make_function):
    name = make_function("class Sour(Exception): pass\ndef inner():\n    raise Sour('no such dish')\n"
                         "def handler(event, context):\n    inner()\n")
    body = failure(lambda_client, name)
    assert (body["errorType"], body["errorMessage"]) == ("Sour", "no such dish")
    assert body["requestId"] == body["id"]
    assert any("/var/task/app.py" in line and "inner" in line for line in body["stackTrace"])
    assert "[ERROR] Sour: no such dish" in body["log"]
    assert failure(lambda_client, name)["errorType"] == "Sour"


def test_a_recursion_error_is_an_error_like_any_other(lambda_client, make_function):
    name = make_function("N = 0\ndef deep(): deep()\ndef handler(event, context):\n    global N\n    N += 1\n"
                         "    return N if event else deep()\n")
    body = failure(lambda_client, name)
    assert body["errorType"] == "RecursionError" and "repeated" in body["stackTrace"][-1]
    assert lambda_client.invoke(FunctionName=name, Payload=b"1")["Payload"].read() == b"2"


def test_the_name_of_an_error_may_be_long(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    raise type('E' * 20000, (Exception,), {})\n")
    assert failure(lambda_client, name)["errorType"].startswith("E" * 256)


@pytest.mark.parametrize("files, handler, kind, part", [
    ({"app.py": GOOD}, "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other'"),
    ({"app.py": GOOD}, "app.missing", "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'app'"),
    ({"app.py": GOOD}, "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot'"),
    ({"app.py": "def handler(:\n"}, "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
    ({"app.py": "import nowhere\n"}, "app.handler", "Runtime.ImportModuleError", "No module named 'nowhere'"),
    ({"app.py": "raise ValueError('at the top')\n"}, "app.handler", "ValueError", "at the top"),
])
def test_code_that_cannot_be_loaded(lambda_client, make_function, files, handler, kind, part):
    name = make_function(files, Handler=handler)
    for _ in range(2):
        body = failure(lambda_client, name)
        assert body["errorType"] == kind
        assert part in body["errorMessage"]


def test_exit_while_loading(lambda_client, make_function):
    body = failure(lambda_client, make_function("import sys\nsys.exit(3)\n"))
    assert body["errorType"] == "Runtime.ExitError" and "exit status 3" in body["errorMessage"]


def test_exit_in_the_handler(lambda_client, make_function):
    name = make_function("import os\ndef handler(event, context):\n    if event: os._exit(event)\n    return 'sound'\n")
    body = failure(lambda_client, name, 7)
    assert body["errorType"] == "Runtime.ExitError"
    assert body["errorMessage"] == f"RequestId: {body['id']} Error: Runtime exited with error: exit status 7"
    assert lambda_client.invoke(FunctionName=name, Payload=b"0")["Payload"].read() == b'"sound"'


def test_timeout_ends_the_instance_and_the_next_call_is_sound(lambda_client, make_function):
    name = make_function(NEVER + "def handler(event, context):\n    if event: never()\n    return 'sound'\n", Timeout=1)
    began = time.monotonic()
    body = failure(lambda_client, name, 1)
    assert 1 <= time.monotonic() - began < 3
    assert body["errorType"] == "Sandbox.Timedout"
    assert body["errorMessage"] == f"RequestId: {body['id']} Error: Task timed out after 1.00 seconds"
    assert "Task timed out" in body["log"]
    assert lambda_client.invoke(FunctionName=name, Payload=b"0")["Payload"].read() == b'"sound"'


def test_a_handler_that_ignores_sigterm_times_out_all_the_same(lambda_client, make_function):
    name = make_function("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + NEVER +
                         "def handler(event, context):\n    never()\n", Timeout=1)
    assert failure(lambda_client, name)["errorType"] == "Sandbox.Timedout"


def test_loading_for_longer_than_ten_seconds(lambda_client, make_function):
    name = make_function(NEVER + "never()\n" + GOOD, Timeout=2)
    began = time.monotonic()
    body = failure(lambda_client, name)
    assert time.monotonic() - began < 20
    assert body["errorType"] == "Sandbox.Timedout"


def test_out_of_memory(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    if not event: return 'sound'\n"
                         "    held = []\n    while True: held.append(bytearray(b'x') * (8 << 20))\n", MemorySize=128, Timeout=20)
    body = failure(lambda_client, name, 1)
    assert body["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError")
    assert "signal: killed" in body["errorMessage"]
    assert lambda_client.invoke(FunctionName=name, Payload=b"0")["Payload"].read() == b'"sound"'


def test_a_fork_bomb_stays_inside(lambda_client, make_function):
    bomb = make_function("import os\ndef handler(event, context):\n    while True:\n        try: os.fork()\n"
                         "        except OSError: pass\n", Timeout=2)
    other = make_function(GOOD)
    body = failure(lambda_client, bomb)
    assert body["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory")
    assert lambda_client.invoke(FunctionName=other)["Payload"].read() == b'"sound"'


FILL_TMP = """
import errno
def handler(event, context):
    try:
        with open('/tmp/big', 'wb') as f:
            while True: f.write(bytes(1 << 20))
    except OSError as e:
        if not event: return errno.errorcode[e.errno]
    held = []
    while True: held.append(bytearray(b'x') * (1 << 20))
"""


def test_a_full_tmp_is_the_handlers_error_and_counts_not_as_its_memory(lambda_client, make_function):
    name = make_function(FILL_TMP, MemorySize=128, Timeout=60)
    reply = lambda_client.invoke(FunctionName=name, Payload=b"0", LogType="Tail")
    assert reply["Payload"].read() == b'"ENOSPC"'
    report = base64.b64decode(reply["LogResult"]).decode()
    assert int(re.search(r"Max Memory Used: (\d+) MB", report)[1]) <= 128


def test_memory_is_limited_beside_a_full_tmp_too(lambda_client, make_function):
    body = failure(lambda_client, make_function(FILL_TMP, MemorySize=128, Timeout=60), 1)
    assert body["errorType"] == "Runtime.OutOfMemory"


def test_results_that_json_cannot_hold(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    return {'set': {1, 2}}\n")
    body = failure(lambda_client, name)
    assert body["errorType"] == "Runtime.MarshalError"
    assert "Unable to marshal response" in body["errorMessage"]


def test_a_handler_that_closes_every_descriptor(lambda_client, make_function):
    name = make_function("import os\ndef handler(event, context):\n    if event: os.closerange(0, 1024)\n    return 'sound'\n", Timeout=3)
    body = failure(lambda_client, name, 1)
    assert body["errorType"] in ("Runtime.ExitError", "Sandbox.Timedout")
    assert lambda_client.invoke(FunctionName=name, Payload=b"0")["Payload"].read() == b'"sound"'


def test_a_handler_that_answers_by_itself_and_then_returns(lambda_client, make_function):
    name = make_function("""
import http.client, os
def handler(event, context):
    c = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    c.request('POST', f'/2018-06-01/runtime/invocation/{context.aws_request_id}/response', b'"by itself"')
    status = c.getresponse().status
    assert status == 202, status
    return 'returned'
""")
    for _ in range(3):
        reply = lambda_client.invoke(FunctionName=name)
        assert reply["Payload"].read() == b'"by itself"'


def test_garbage_to_the_runtime_api_hurts_nobody_else(lambda_client, make_function):
    name = make_function("""
import os, socket
def handler(event, context):
    host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
    for junk in (b'\\0' * 4096, b'GET ' + b'a' * 100000, b'POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\\r\\nContent-Length: 99999999999\\r\\n\\r\\n'):
        s = socket.create_connection((host, int(port)), 2)
        try: s.sendall(junk); s.settimeout(0.2); s.recv(100)
        except OSError: pass
        s.close()
    return 'sound'
""", Timeout=10)
    other = make_function(GOOD)
    reply = lambda_client.invoke(FunctionName=name)
    assert reply["Payload"].read() == b'"sound"'
    assert lambda_client.invoke(FunctionName=other)["Payload"].read() == b'"sound"'
