"""Fixtures of every test folder: one Hearth a session (`hearth`), clients, functions that go away with their test.

Tests that break things (recovery) start an Instance of their own.
"""
import io
import itertools
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from instance import BUILD, Instance  # noqa: E402  (the path above finds it)

ROLE = "arn:aws:iam::000000000000:role/test"
_numbers = itertools.count(1)


def zip_of(files):
    """A zip, as bytes, of {"app.py": "text"}; a value may be (text, mode)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            text, mode = content if isinstance(content, tuple) else (content, 0o644)
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def create_function(client, name, files, wait=True, **settings):
    """Creates `name` of {"app.py": …} and waits until it is Active."""
    request = {"Runtime": "python3.11", "Handler": "app.handler", "Role": ROLE, "Timeout": 10, **settings}
    reply = client.create_function(FunctionName=name, Code={"ZipFile": zip_of(files)}, **request)
    if wait:
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    return reply


@pytest.fixture(scope="session")
def hearth():
    if os.geteuid() != 0:
        pytest.skip("needs root: it makes containers and namespaces")
    instance = Instance(f"ht{os.getpid() % 100_000}", {"pool.min": 4, "testing.reset": True, "hold.seconds": 30}).start()
    yield instance
    failed_to_stop = None
    try:
        instance.stop()
    except Exception as error:  # the leftovers below say more than the exception alone
        failed_to_stop = error
    left = instance.leftovers()
    logs = instance.logs()
    instance.remove()
    assert failed_to_stop is None and left == [], f"left behind: {left}, {failed_to_stop}\n{logs}"


@pytest.fixture(scope="session")
def lambda_client(hearth):
    return hearth.client("lambda")


@pytest.fixture
def unique():
    """A name no other test uses: unique("fn") → "fn-7"."""
    return lambda stem="fn": f"{stem}-{next(_numbers)}"


@pytest.fixture
def make_function(lambda_client, unique):
    """make_function("code", **settings) → name; the function is deleted after the test."""
    made = []

    def make(code, name=None, client=lambda_client, **settings):
        name = name or unique()
        files = code if isinstance(code, dict) else {"app.py": code}
        create_function(client, name, files, **settings)
        made.append((client, name))
        return name

    yield make
    for client, name in made:
        try:
            client.delete_function(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            pass  # the test deleted it itself


@pytest.fixture(scope="session")
def awslambdaric(tmp_path_factory):
    """The package as a zip would hold it, from PyPI, for the host's own Python."""
    folder = tmp_path_factory.mktemp("awslambdaric")
    done = subprocess.run([BUILD / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", "--no-compile", "--target",
                           folder, "--python-version", "3.11", "--only-binary=:all:", "awslambdaric"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder
