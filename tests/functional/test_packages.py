"""Uploads that are wrong: each gets AWS's error, and no function and no package is left of it."""
import io
import zipfile

import pytest
from botocore.exceptions import ClientError

from conftest import ROLE, zip_of

COULD_NOT = "Could not unzip uploaded file. Please check your file, then try to upload again."
LINK = 0o120777 << 16


def entry(name, mode=0o100644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def zip_with(*entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, data in entries:
            archive.writestr(info, data)
    return buffer.getvalue()


def encrypted():
    made = bytearray(zip_with((entry("app.py"), b"sealed")))
    made[6] |= 1  # the flag in the local header …
    made[made.index(b"PK\x01\x02") + 8] |= 1  # … and in the central directory
    return bytes(made)


BAD = {
    "not a zip": (b"this is no zip at all", COULD_NOT),
    "cut off": (zip_with((entry("app.py"), b"x" * 1000))[:60], COULD_NOT),
    "empty": (zip_with(), "non-empty zip"),
    "dot dot": (zip_with((entry("../evil.py"), b"x")), COULD_NOT),
    "absolute": (zip_with((entry("/etc/evil.py"), b"x")), COULD_NOT),
    "link out": (zip_with((entry("l", 0o120777), b"/etc/passwd")), COULD_NOT),
    "link up": (zip_with((entry("d/l", 0o120777), b"../../x")), COULD_NOT),
    "through a link": (zip_with((entry("l", 0o120777), b".."), (entry("l/evil"), b"x")), COULD_NOT),
    "device": (zip_with((entry("sda", 0o060644), b"")), COULD_NOT),
    "encrypted": (encrypted(), COULD_NOT),
    "file and folder": (zip_with((entry("a"), b"x"), (entry("a/b"), b"y")), COULD_NOT),
    "bomb": (zip_with((entry("zeros"), bytes(262144001))), "Unzipped size must be smaller than 262144000 bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_create_refuses(hearth, lambda_client, unique, case):
    code, message = BAD[case]
    name = unique()
    packages = hearth.state / "packages"
    before = {path.name for path in packages.iterdir()}
    with pytest.raises(lambda_client.exceptions.InvalidParameterValueException) as refused:
        lambda_client.create_function(FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=ROLE,
                                      Code={"ZipFile": code})
    assert message in str(refused.value)
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.get_function(FunctionName=name)
    assert {path.name for path in packages.iterdir()} == before


def test_update_refuses_and_the_old_code_stays(lambda_client, make_function):
    name = make_function("def handler(event, context):\n    return 'old'\n")
    with pytest.raises(lambda_client.exceptions.InvalidParameterValueException):
        lambda_client.update_function_code(FunctionName=name, ZipFile=b"junk")
    assert lambda_client.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful"
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b'"old"'


def test_an_upload_over_its_limit(hearth, unique):
    import os

    client = hearth.client("lambda")
    with pytest.raises(ClientError) as refused:
        client.create_function(FunctionName=unique(), Runtime="python3.11", Handler="app.handler", Role=ROLE,
                               Code={"ZipFile": zip_with((zipfile.ZipInfo("noise"), os.urandom(53 * 1024 * 1024)))})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 413)


def test_a_package_is_read_only_and_its_modes_hold(lambda_client, make_function):
    code = """
import os, subprocess
def handler(event, context):
    told = {'run': subprocess.run(['/var/task/bin/tool'], capture_output=True, text=True).stdout,
            'mode': oct(os.stat('/var/task/data.txt').st_mode & 0o7777), 'link': open('/var/task/link').read()}
    try:
        open('/var/task/app.py', 'a')
    except OSError as e:
        told['write'] = e.strerror
    return told
"""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry("app.py"), code)
        archive.writestr(entry("bin/tool", 0o104755), "#!/bin/sh\necho ran\n")
        archive.writestr(entry("data.txt", 0o100600), "data")
        archive.writestr(entry("link", 0o120777), "data.txt")
    name = make_function({"app.py": "pass"})
    lambda_client.update_function_code(FunctionName=name, ZipFile=buffer.getvalue())
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
    import json

    told = json.loads(lambda_client.invoke(FunctionName=name)["Payload"].read())
    assert told.pop("write") in ("Read-only file system", "Permission denied")
    assert told == {"run": "ran\n", "mode": "0o644", "link": "data"}


def test_a_thousand_files_and_a_deep_import(lambda_client, make_function):
    files = {f"lib/p{i % 20}/m{i}.py": f"N = {i}\n" for i in range(1000)}
    files["app.py"] = ("import importlib\ndef handler(event, context):\n"
                       "    return sum(importlib.import_module(f'lib.p{i % 20}.m{i}').N for i in range(1000))\n")
    name = make_function(files, Timeout=30)
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b"499500"


def test_same_code_in_two_functions_is_kept_once(hearth, lambda_client, make_function):
    files = {"app.py": "def handler(event, context):\n    return 'shared by two'\n"}
    first = make_function(files)
    count = len(list((hearth.state / "packages").iterdir()))
    second = make_function(files)
    assert len(list((hearth.state / "packages").iterdir())) == count
    assert zip_of(files) == zip_of(files)
    for name in (first, second):
        assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b'"shared by two"'
