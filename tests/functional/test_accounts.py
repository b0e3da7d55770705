"""Accounts: nobody sees another's functions, and a wrong signature is AWS's error."""
import json

import pytest
from botocore.exceptions import ClientError

from conftest import create_function

HELLO = "def handler(event, context):\n    return 'mine'\n"


@pytest.fixture(scope="module")
def other(hearth):
    """The keys of a second account."""
    account = "222233334444"
    key = json.loads(hearth.hearth("account", "create", account, "--json").stdout)
    yield {"region": "us-east-1", "account": account, **key}
    hearth.hearth("account", "delete", account)


def test_accounts_are_apart(hearth, lambda_client, make_function, other):
    theirs = hearth.client("lambda", other)
    name = make_function(HELLO)
    with pytest.raises(theirs.exceptions.ResourceNotFoundException):
        theirs.get_function(FunctionName=name)
    with pytest.raises(theirs.exceptions.ResourceNotFoundException):
        theirs.invoke(FunctionName=name)
    assert theirs.list_functions()["Functions"] == []
    create_function(theirs, name, {"app.py": HELLO.replace("mine", "theirs")})
    try:
        assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b'"mine"'
        assert theirs.invoke(FunctionName=name)["Payload"].read() == b'"theirs"'
        arn = theirs.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        assert f":{other['account']}:" in arn
        with pytest.raises(ClientError) as refused:
            lambda_client.get_function(FunctionName=arn)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)
    finally:
        theirs.delete_function(FunctionName=name)


def test_a_function_acts_as_its_own_account(hearth, other):
    theirs = hearth.client("lambda", other)
    code = ("import boto3\ndef handler(event, context):\n"
            "    return [f['FunctionName'] for f in boto3.client('lambda').list_functions()['Functions']]\n")
    create_function(theirs, "lists-own", {"app.py": code}, Timeout=30, MemorySize=512)
    try:
        assert json.loads(theirs.invoke(FunctionName="lists-own")["Payload"].read()) == ["lists-own"]
    finally:
        theirs.delete_function(FunctionName="lists-own")


def test_a_wrong_secret_and_an_unknown_key(hearth):
    keys = hearth.credentials()
    with pytest.raises(ClientError) as wrong:
        hearth.client("lambda", {**keys, "secret_access_key": "x" * 40}).list_functions()
    assert wrong.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert wrong.value.response["Error"]["Code"] in ("InvalidSignatureException", "SignatureDoesNotMatch")
    with pytest.raises(ClientError) as unknown:
        hearth.client("lambda", {**keys, "access_key_id": "AKIAXXXXXXXXXXXXXXXX"}).list_functions()
    assert unknown.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
