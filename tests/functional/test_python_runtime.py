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
