"""The life of a function as boto3 sees it: create, read, change, delete, tags, limits, and what Hearth does not offer."""
import base64
import hashlib
import io
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from conftest import ROLE, create_function, zip_of

HELLO = "def handler(event, context):\n    return 'one'\n"
QUICKLY = {"Delay": 0.05, "MaxAttempts": 400}


def code_of(excinfo):
    return excinfo.value.response["Error"]["Code"]


def status_of(excinfo):
    return excinfo.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_create_is_pending_then_active(lambda_client, make_function, unique):
    name = unique()
    code = zip_of({"app.py": HELLO})
    made = lambda_client.create_function(FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=ROLE,
                                         Code={"ZipFile": code}, Description="d", MemorySize=256,
                                         Environment={"Variables": {"ONE": "1"}}, Tags={"team": "x"})
    try:
        assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
        assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
        assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
        assert made["CodeSize"] == len(code) and made["Version"] == "$LATEST"
        assert made["FunctionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        lambda_client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)
        active = lambda_client.get_function_configuration(FunctionName=name)
        assert active["State"] == "Active" and active["LastUpdateStatus"] == "Successful"
        assert active["RevisionId"] != made["RevisionId"]
        assert (active["MemorySize"], active["Timeout"], active["Description"]) == (256, 3, "d")
        assert active["Environment"] == {"Variables": {"ONE": "1"}}
        for absent in ("VpcConfig", "Layers", "KMSKeyArn", "DeadLetterConfig", "StateReason"):
            assert absent not in active
    finally:
        lambda_client.delete_function(FunctionName=name)


def test_get_function_gives_the_code_back(lambda_client, make_function):
    name = make_function(HELLO, Tags={"k": "v"})
    got = lambda_client.get_function(FunctionName=name)
    assert got["Tags"] == {"k": "v"}
    body = urllib.request.urlopen(got["Code"]["Location"], timeout=10).read()
    assert zipfile.ZipFile(io.BytesIO(body)).read("app.py").decode() == HELLO
    with pytest.raises(urllib.error.HTTPError):  # a link that was tampered with
        urllib.request.urlopen(got["Code"]["Location"][:-1] + "0x", timeout=10)


def test_every_form_of_a_name_finds_it(lambda_client, make_function):
    name = make_function(HELLO)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    for form in (name, arn, f"000000000000:function:{name}", f"{arn}:$LATEST", f"{name}:$LATEST"):
        assert lambda_client.get_function(FunctionName=form)["Configuration"]["FunctionName"] == name
    with pytest.raises(ClientError) as missing:
        lambda_client.get_function(FunctionName=name, Qualifier="7")
    assert code_of(missing) == "ResourceNotFoundException"


def test_list_functions_in_pages(lambda_client, make_function):
    names = {make_function(HELLO, wait=False) for _ in range(5)}
    pages = list(lambda_client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    listed = [function["FunctionName"] for page in pages for function in page["Functions"]]
    assert len(pages) >= 3 and names <= set(listed)
    assert listed == sorted(listed) and len(listed) == len(set(listed))


def test_a_taken_name_and_a_missing_one(lambda_client, make_function):
    name = make_function(HELLO)
    with pytest.raises(lambda_client.exceptions.ResourceConflictException) as taken:
        create_function(lambda_client, name, {"app.py": HELLO})
    assert "Function already exist" in str(taken.value) and status_of(taken) == 409
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException) as missing:
        lambda_client.get_function(FunctionName="nobody")
    assert "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody" in str(missing.value)
    assert status_of(missing) == 404


def test_update_code_and_configuration(lambda_client, make_function):
    name = make_function(HELLO)
    before = lambda_client.get_function_configuration(FunctionName=name)
    updated = lambda_client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": HELLO.replace("one", "two")}))
    assert updated["LastUpdateStatus"] == "InProgress" and updated["State"] == "Active"
    assert updated["CodeSha256"] != before["CodeSha256"] and updated["RevisionId"] != before["RevisionId"]
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b'"two"'
    changed = lambda_client.update_function_configuration(FunctionName=name, Timeout=7, MemorySize=512,
                                                          Environment={"Variables": {"TWO": "2"}})
    assert (changed["Timeout"], changed["MemorySize"]) == (7, 512)
    lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)
    after = lambda_client.get_function_configuration(FunctionName=name)
    assert after["Environment"] == {"Variables": {"TWO": "2"}} and after["LastUpdateStatus"] == "Successful"


def test_a_stale_revision_is_412(lambda_client, make_function):
    name = make_function(HELLO)
    with pytest.raises(lambda_client.exceptions.PreconditionFailedException) as stale:
        lambda_client.update_function_configuration(FunctionName=name, Timeout=9, RevisionId="not-the-one")
    assert status_of(stale) == 412
    current = lambda_client.get_function_configuration(FunctionName=name)
    assert current["Timeout"] == 10
    lambda_client.update_function_configuration(FunctionName=name, Timeout=9, RevisionId=current["RevisionId"])


def test_update_code_dry_run_changes_nothing(lambda_client, make_function):
    name = make_function(HELLO)
    before = lambda_client.get_function_configuration(FunctionName=name)
    code = zip_of({"app.py": HELLO + "# other\n"})
    dry = lambda_client.update_function_code(FunctionName=name, ZipFile=code, DryRun=True)
    assert dry["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    after = lambda_client.get_function_configuration(FunctionName=name)
    assert (after["CodeSha256"], after["RevisionId"]) == (before["CodeSha256"], before["RevisionId"])


def test_delete_ends_it(lambda_client, make_function):
    name = make_function(HELLO)
    assert lambda_client.invoke(FunctionName=name)["StatusCode"] == 200
    assert lambda_client.delete_function(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (lambda_client.get_function, lambda_client.delete_function, lambda_client.invoke):
        with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
            call(FunctionName=name)
    create_function(lambda_client, name, {"app.py": HELLO.replace("one", "again")})
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b'"again"'


def test_tags(lambda_client, make_function):
    name = make_function(HELLO, Tags={"a": "1"})
    arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
    lambda_client.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
    lambda_client.untag_resource(Resource=arn, TagKeys=["a", "c"])
    assert lambda_client.list_tags(Resource=arn)["Tags"] == {"b": "2"}


@pytest.mark.parametrize("settings, part", [
    ({"Runtime": "cobol85"}, "untime"),
    ({"Runtime": "python3.13"}, "python3.13 is not installed here"),
    ({"MemorySize": 64}, "128"),
    ({"Timeout": 901}, "900"),
    ({"Role": "nobody"}, "role"),
    ({"Environment": {"Variables": {"ONE": "x" * 5000}}}, "4KB"),
    ({"Environment": {"Variables": {"AWS_REGION": "mine"}}}, "AWS_REGION"),
])
def test_bad_settings_name_what_is_wrong(hearth, lambda_client, unique, settings, part):
    name = unique()
    unchecked = hearth.client("lambda", parameter_validation=False)  # let the server do the refusing
    with pytest.raises(ClientError) as refused:
        create_function(unchecked, name, {"app.py": HELLO}, **settings)
    assert part in str(refused.value)
    assert status_of(refused) == 400
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.get_function(FunctionName=name)


def test_operations_that_hearth_does_not_offer_say_so(lambda_client, make_function):
    name = make_function(HELLO)
    for call, arguments in ((lambda_client.publish_version, {"FunctionName": name}),
                            (lambda_client.list_layers, {}),
                            (lambda_client.create_alias, {"FunctionName": name, "Name": "a", "FunctionVersion": "1"}),
                            (lambda_client.list_event_source_mappings, {})):
        with pytest.raises(ClientError) as refused:
            call(**arguments)
        assert status_of(refused) == 501
        operation = "".join(word.title() for word in call.__name__.split("_"))
        assert operation in str(refused.value)


def test_terraforms_reads(lambda_client, make_function):
    name = make_function(HELLO)
    versions = lambda_client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST"]
    assert "CodeSigningConfigArn" not in lambda_client.get_function_code_signing_config(FunctionName=name)
    settings = lambda_client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountUsage"]["FunctionCount"] >= 1
