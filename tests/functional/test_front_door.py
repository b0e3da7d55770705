"""Clients that behave badly on the wire: they get an answer or an end, and nobody else notices."""
import base64
import datetime
import http.client
import json
import socket
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import zip_of
from gate import GATED, WAIT, Gate
from instance import wait_until

ECHO = "def handler(event, context):\n    return event\n"


def signed(hearth, method, path, body=b"", keys=None):
    """The bytes of a signed request."""
    keys = keys or hearth.credentials()
    request = AWSRequest(method, hearth.url + path, data=body, headers={"Host": f"127.0.0.1:{hearth.port}"})
    SigV4Auth(Credentials(keys["access_key_id"], keys["secret_access_key"]), "lambda", keys["region"]).add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items()),
             f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def connect(hearth):
    return socket.create_connection(("127.0.0.1", hearth.port), 30)


def answer(connection):
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    return reply, reply.read()


def invocation(hearth, name, event):
    return signed(hearth, "POST", f"/2015-03-31/functions/{name}/invocations", json.dumps(event).encode())


def test_a_client_that_closed_its_sending_half_gets_its_answer(hearth, make_function):
    name = make_function(GATED)
    with Gate(hearth) as gate, connect(hearth) as connection:
        connection.sendall(invocation(hearth, name, {"gate": gate.port}))
        gate.wait_for()
        connection.shutdown(socket.SHUT_WR)
        gate.open()
        reply, body = answer(connection)
    assert (reply.status, json.loads(body)) == (200, {"gate": gate.port})


def test_a_client_that_leaves_does_not_spoil_the_instance(hearth, lambda_client, make_function):
    name = make_function(WAIT + "calls = []\ndef handler(event, context):\n    if event: wait_at(event)\n"
                         "    calls.append(event)\n    return calls\n")
    assert json.loads(lambda_client.invoke(FunctionName=name, Payload=b"0")["Payload"].read()) == [0]
    with Gate(hearth) as gate:
        with connect(hearth) as connection:
            connection.sendall(invocation(hearth, name, gate.port))
            gate.wait_for()
        gate.open()
        calls = wait_until(lambda: (got := json.loads(lambda_client.invoke(
            FunctionName=name, Payload=b"0")["Payload"].read())) and gate.port in got and got, what="the call to be finished")
    assert calls[0] == 0


def test_requests_in_one_packet_are_answered_in_order(hearth, make_function):
    name = make_function(ECHO)
    with connect(hearth) as connection:
        connection.sendall(b"".join(invocation(hearth, name, {"n": n}) for n in range(5)))
        stream = connection.makefile("rb")
        for n in range(5):
            assert b" 200 " in stream.readline()
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(stream.read(length)) == {"n": n}


def test_slow_clients_hold_nobody_up_and_are_ended(hearth, lambda_client, make_function):
    name = make_function(ECHO)
    lambda_client.invoke(FunctionName=name, Payload=b"{}")
    slow = [connect(hearth) for _ in range(300)]
    began = time.monotonic()
    for connection in slow:
        connection.sendall(b"POST /2015-03-31/functions/x/invocations HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    fastest = min(timed(lambda: lambda_client.invoke(FunctionName=name, Payload=b"{}")) for _ in range(20))
    assert fastest < 0.1
    for connection in slow:
        try:
            while connection.recv(4096):  # an answer that says why, then the end
                pass
        except ConnectionResetError:
            pass
        connection.close()
    assert time.monotonic() - began < 25


def timed(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.parametrize("junk", [
    b"\x00" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nNo colon here\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n"])
def test_what_is_no_request_is_400(hearth, junk):
    with connect(hearth) as connection:
        connection.sendall(junk)
        reply, _ = answer(connection)
        assert 400 <= reply.status < 500
    assert hearth.healthy()


def test_a_body_over_its_limit_is_refused_before_it_is_sent(hearth, make_function):
    name = make_function(ECHO)
    head = invocation(hearth, name, {}).replace(b"Content-Length: 2", b"Content-Length: 8000000")
    with connect(hearth) as connection:
        connection.sendall(head)
        reply, body = answer(connection)
    assert reply.status == 413
    assert b"RequestTooLargeException" in body or reply.getheader("x-amzn-errortype") == "RequestTooLargeException"


def test_without_a_signature(hearth):
    with connect(hearth) as connection:
        connection.sendall(b"GET /2015-03-31/functions HTTP/1.1\r\nHost: x\r\n\r\n")
        reply, body = answer(connection)
    assert reply.status == 403
    assert reply.getheader("x-amzn-errortype") == "MissingAuthenticationTokenException", body


def test_an_old_signature(hearth, monkeypatch):
    class Yesterday(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(days=1)

    import botocore.auth
    if hasattr(botocore.auth, "get_current_datetime"):
        monkeypatch.setattr(botocore.auth, "get_current_datetime", Yesterday.utcnow)
    else:
        monkeypatch.setattr(botocore.auth.datetime, "datetime", Yesterday)
    request = signed(hearth, "GET", "/2015-03-31/functions")
    with connect(hearth) as connection:
        connection.sendall(request)
        reply, body = answer(connection)
    assert reply.status == 403 and b"expired" in body


def test_a_body_that_was_changed_on_the_way(hearth, make_function):
    name = make_function(ECHO)
    request = invocation(hearth, name, {"a": 1})
    with connect(hearth) as connection:
        connection.sendall(request[:-2] + b"2}")
        reply, body = answer(connection)
    assert reply.status == 403, body
    assert reply.getheader("x-amzn-errortype") == "InvalidSignatureException"


def test_members_of_other_operations_neither_crash_nor_count(hearth, lambda_client, make_function):
    """No client library would send them: a signed request by hand."""
    name = make_function(ECHO)
    code = base64.b64encode(zip_of({"app.py": ECHO})).decode()
    for path, body in (("configuration", {"Architectures": 1}), ("code", {"ZipFile": code, "VpcConfig": {"SubnetIds": 1}}),
                       ("code", {"ZipFile": code, "Timeout": -1, "MemorySize": 1 << 63})):
        with connect(hearth) as connection:
            connection.sendall(signed(hearth, "PUT", f"/2015-03-31/functions/{name}/{path}", json.dumps(body).encode()))
            reply, text = answer(connection)
        assert reply.status == 200, text
        lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
    assert lambda_client.get_function_configuration(FunctionName=name)["Timeout"] == 10
