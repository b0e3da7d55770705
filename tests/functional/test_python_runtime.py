"""What Python functions find as on AWS: where libraries and packages come from, how results are written."""
import json

import pytest


def result(client, name, event=None):
    reply = client.invoke(FunctionName=name, Payload=json.dumps(event))
    body = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, body
    return body


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing_starts_processes_anew(lambda_client, make_function, method):
    name = make_function(f"""
import multiprocessing, os
def work(end, n):
    end.send([n * n, os.environ['MARK'], __name__])
def handler(event, context):
    start = multiprocessing.get_context({method!r})
    mine, theirs = start.Pipe()
    process = start.Process(target=work, args=(theirs, event))
    process.start()
    theirs.close()
    got = mine.recv()
    process.join()
    return got
""", Environment={"Variables": {"MARK": "set"}}, Timeout=20)
    assert result(lambda_client, name, 7) == [49, "set", "app"]
