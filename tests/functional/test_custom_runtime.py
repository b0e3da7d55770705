"""Custom runtimes: a bootstrap of one's own, and AWS's real Python client, against the same Runtime API."""
import json
import pathlib

import pytest

from conftest import create_function

SHELL = """#!/bin/sh
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  headers=/tmp/headers
  event=$(curl -sS -D $headers "$api/next")
  id=$(tr -d '\\r' < $headers | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  echo "shell got $event"
  curl -sS -X POST "$api/$id/response" -d "{\\"shell\\": $event, \\"handler\\": \\"$_HANDLER\\"}" >/dev/null
done
"""

PYTHON = """#!/bin/sh
export PYTHONPATH=/var/task
exec /usr/bin/python3 -m awslambdaric "$_HANDLER"
"""

HANDLER = """
import os
def handler(event, context):
    print('from awslambdaric')
    if event == 'fail':
        raise LookupError('as asked')
    if event == 'deep':
        handler(event, context)
    return {'event': event, 'id': context.aws_request_id, 'name': context.function_name,
            'left': context.get_remaining_time_in_millis()}
"""


@pytest.fixture
def custom(lambda_client, unique):
    made = []

    def make(files, **settings):
        name = unique("custom")
        create_function(lambda_client, name, files, Runtime="provided.al2023", **settings)
        made.append(name)
        return name

    yield make
    for name in made:
        lambda_client.delete_function(FunctionName=name)


@pytest.mark.skipif(not pathlib.Path("/usr/bin/curl").exists(), reason="the bootstrap needs the host's curl")
def test_a_bootstrap_in_shell(lambda_client, custom):
    name = custom({"bootstrap": (SHELL, 0o100755)}, Handler="my.handler", MemorySize=512)
    for event in ({"n": 1}, {"n": 2}):
        reply = lambda_client.invoke(FunctionName=name, Payload=json.dumps(event))
        assert json.loads(reply["Payload"].read()) == {"shell": event, "handler": "my.handler"}


def test_without_a_bootstrap(lambda_client, custom):
    name = custom({"nothing": "here"})
    reply = lambda_client.invoke(FunctionName=name)
    assert reply["FunctionError"] == "Unhandled"
    body = json.loads(reply["Payload"].read())
    assert body["errorType"] in ("Runtime.ExitError", "Runtime.InvalidEntrypoint")


def test_a_bootstrap_that_exits(lambda_client, custom):
    name = custom({"bootstrap": ("#!/bin/sh\nexit 41\n", 0o100755)})
    body = json.loads(lambda_client.invoke(FunctionName=name)["Payload"].read())
    assert body["errorType"] == "Runtime.ExitError" and "exit status 41" in body["errorMessage"]


def test_awss_own_runtime_client(lambda_client, custom, awslambdaric):
    files = {str(path.relative_to(awslambdaric)): (path.read_bytes(), 0o100755 if path.suffix == ".so" else 0o100644)
             for path in awslambdaric.rglob("*") if path.is_file()}
    files["bootstrap"] = (PYTHON, 0o100755)
    files["app.py"] = HANDLER
    name = custom(files, MemorySize=512, Timeout=20)
    reply = lambda_client.invoke(FunctionName=name, Payload=b'{"a": 1}')
    told = json.loads(reply["Payload"].read())
    assert told["event"] == {"a": 1} and told["name"] == name and 0 < told["left"] <= 20000
    assert told["id"] == reply["ResponseMetadata"]["RequestId"]
    failed = lambda_client.invoke(FunctionName=name, Payload=b'"fail"')
    assert failed["FunctionError"] == "Unhandled"
    body = json.loads(failed["Payload"].read())
    assert (body["errorType"], body["errorMessage"]) == ("LookupError", "as asked")
    deep = json.loads(lambda_client.invoke(FunctionName=name, Payload=b'"deep"')["Payload"].read())
    assert deep["errorType"] == "RecursionError"
    assert "FunctionError" not in lambda_client.invoke(FunctionName=name, Payload=b'{"a": 1}')
