"""What Python functions find as on AWS: where libraries and packages come from, how results are written."""
import json
import subprocess

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


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A shared library whose only function returns 42, and one that needs it."""
    folder = tmp_path_factory.mktemp("library")
    for stem, text, more in (("inner", "int inner(void) { return 42; }", []),
                             ("outer", "int inner(void); int outer(void) { return inner(); }", ["-L.", "-linner"])):
        (folder / f"{stem}.c").write_text(text)
        subprocess.run(["clang-19", "-shared", "-fPIC", "-o", f"lib{stem}.so", f"{stem}.c", *more], check=True, cwd=folder)
    return {path.name: path.read_bytes() for path in folder.glob("*.so")}


@pytest.mark.parametrize("folder", ["", "lib/"])
def test_libraries_of_the_package_are_found_by_their_names(lambda_client, make_function, library, folder):
    files = {folder + name: (content, 0o100755) for name, content in library.items()}
    files["app.py"] = "import ctypes\ndef handler(event, context): return ctypes.CDLL('libouter.so').outer()\n"
    assert result(lambda_client, make_function(files)) == 42


# Python expressions of what a handler may return, in the module below.
RESULTS_MODULE = """
import collections, dataclasses, decimal, enum, typing
Point = collections.namedtuple('Point', 'x y')
class Line(typing.NamedTuple):
    begin: Point
    name: str = 'line'
class Record:
    def _asdict(self): return {'as': Point(1, b'raw')}
class Odd:
    def _asdict(self): return [1]
class Listed(list):
    def _asdict(self): return {'never': 1}
class Colour(enum.IntEnum):
    red = 1
class Text(str): pass
loop = []
loop.append(loop)
around = {}
around['a'] = (around,)
deep = []
for _ in range(150): deep = [deep, Point(1, 2)]
"""
RESULTS = """
Point(1, 2) | [Point(1, {'in': Point(3, [4])})] | {'line': Line(Point(0, 0))} | (1, 2, (3,)) | {b'key': b'value', 'k': 1}
[{b'\\xc3\\xa4': 1}] | Record() | [Record(), (Record(),)] | Odd() | Listed([1, Point(1, 2)]) | {Colour.red: Colour.red} | Text('x')
collections.OrderedDict(a=Point(1, 2)) | collections.defaultdict(list, {b'b': [1]}) | {'d': decimal.Decimal('1.10')}
[decimal.Decimal('NaN'), decimal.Decimal('1E+3'), {'p': Point(decimal.Decimal('0.1'), None)}] | {1: 1, 2.5: 2, None: 3, True: 4}
{(1, 2): 3} | {1, 2} | loop | around | deep | float('nan') | [float('inf'), -0.0, 1e300] | '\\u00e4\\u2028\\x7f' | b'\\xff' | [b'\\xff']
{b'\\xff': 1} | Point | object() | range(3) | {'a': {}.keys()} | 10 ** 30 | ''
"""


def test_results_are_written_as_by_awss_own_client(lambda_client, make_function, awslambdaric):
    expressions = [text.strip() for text in RESULTS.replace("\n", "|").split("|") if text.strip()]
    name = make_function({"app.py": "from results import *\nimport results\n"
                                    "def handler(event, context): return eval(event, vars(results))\n",
                          "results.py": RESULTS_MODULE})
    marshal = RESULTS_MODULE + """
import json, os, sys
from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
told = []
for expression in json.load(sys.stdin):
    try:
        result = LambdaMarshaller().marshal_response(eval(expression))[0]
        told.append(result if isinstance(result, str) else repr(result))
    except FaultException as failure:
        told.append('not written')
json.dump(told, sys.stdout)
"""
    done = subprocess.run(["/usr/bin/python3.11", "-c", marshal], input=json.dumps(expressions), capture_output=True, text=True,
                          env={"PYTHONPATH": str(awslambdaric), "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"})
    assert done.returncode == 0, done.stderr
    for expression, expected in zip(expressions, json.loads(done.stdout), strict=True):
        reply = lambda_client.invoke(FunctionName=name, Payload=json.dumps(expression))
        body = reply["Payload"].read()
        if "FunctionError" in reply:
            error = json.loads(body)
            assert error["errorType"] == "Runtime.MarshalError", (expression, error)
            body = b"not written"
        written = body.decode() if expected != repr(body) else repr(body)
        assert written == expected, expression


def test_path_files_of_the_package_are_read(lambda_client, make_function):
    name = make_function({"more.pth": "vendored\nimport os; os.environ['FROM_PTH'] = '1'\n", "vendored/shelf.py": "BOOK = 'here'\n",
                          "app.py": "import os, shelf\ndef handler(e, c): return [shelf.BOOK, os.environ['FROM_PTH']]\n"})
    assert result(lambda_client, name) == ["here", "1"]


def test_a_python_path_of_ones_own_takes_the_place_of_the_layers(lambda_client, make_function):
    files = {"lib/shelf.py": "BOOK = 'here'\n", "app.py": "import boto3, shelf, sys\ndef handler(e, c): return sys.path\n"}
    own = result(lambda_client, make_function(files, Environment={"Variables": {"PYTHONPATH": "/var/task/lib"}}))
    assert own[:2] == ["/var/task", "/var/task/lib"] and "/opt/python" not in own
    plain = result(lambda_client, make_function("import sys\ndef handler(e, c): return sys.path\n"))
    assert plain[:3] == ["/var/task", "/opt/python/lib/python3.11/site-packages", "/opt/python"]


# As in AWS's documentation: an argument for Python, another environment.
WRAPPER = """#!/bin/bash
args=("$@")
args=("${args[@]:0:$#-1}" "-X" "importtime" "${args[@]: -1}")
export WRAPPED=$(cat ./word) PYTHONPATH=/var/task/more
exec "${args[@]}"
"""


def test_a_wrapper_starts_the_runtime(lambda_client, make_function):
    files = {"wrapper": (WRAPPER, 0o100755), "word": "yes", "more/shelf.py": "BOOK = 'here'\n",
             "app.py": "import os, shelf, sys\ndef handler(e, c):\n    if e == 'fail': raise KeyError(e)\n"
                       "    return [e, shelf.BOOK, os.environ['WRAPPED'], sys._xoptions, c.function_name]\n"}
    name = make_function(files, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}})
    expected = ["here", "yes", {"utf8": True, "importtime": True}, name]
    assert result(lambda_client, name, 1) == [1, *expected]
    assert json.loads(lambda_client.invoke(FunctionName=name, Payload=b'"fail"')["Payload"].read())["errorType"] == "KeyError"
    assert result(lambda_client, name, 2) == [2, *expected]


def test_a_wrapper_that_is_not_there(lambda_client, make_function):
    name = make_function("def handler(e, c): return 1\n", Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/none"}})
    reply = lambda_client.invoke(FunctionName=name)
    assert "/var/task/none" in json.loads(reply["Payload"].read())["errorMessage"] and "FunctionError" in reply
