"""The CLI against a real Hearth: what people read, what scripts read, and how it fails."""
import json
import pathlib
import subprocess
import threading

import pytest

from conftest import create_function

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCOUNT = "444455556666"

HANDLER = """
import json

def handler(event, context):
    print("line", json.dumps(event))
    if event.get("fail"):
        raise KeyError("no such dish")
    return {"got": event}
"""


def told(hearth, *arguments):
    return json.loads(hearth.hearth(*arguments, "--json").stdout)


def told_lines(hearth, *arguments):
    return [json.loads(line) for line in hearth.hearth(*arguments, "--json").stdout.splitlines()]


@pytest.fixture(scope="module")
def function(hearth):
    client = hearth.client("lambda")
    name = "cli-menu"
    create_function(client, name, {"app.py": HANDLER}, Description="for the CLI")
    yield name
    client.delete_function(FunctionName=name)


def test_env_gives_what_a_client_needs(hearth):
    lines = hearth.hearth("env").stdout.splitlines()
    assert all(line.startswith("export AWS_") for line in lines)
    variables = told(hearth, "env")
    assert variables["AWS_ENDPOINT_URL"] == hearth.url
    assert variables["AWS_ACCESS_KEY_ID"] == hearth.credentials()["access_key_id"]


def test_status_tells_version_warden_and_counts(hearth, function):
    status = told(hearth, "status")
    assert status["instance"] == hearth.name and status["warden"]["connected"]
    assert "python3.11" in status["warden"]["runtimes"]
    assert status["functions"] >= 1
    assert "connected" in hearth.hearth("status").stdout


def test_functions_list_show_and_delete(hearth, function):
    client = hearth.client("lambda")
    create_function(client, "cli-gone", {"app.py": HANDLER})
    assert {"cli-menu", "cli-gone"} <= {f["FunctionName"] for f in told(hearth, "functions", "list")}
    shown = told(hearth, "functions", "show", function)
    assert shown["Configuration"]["Description"] == "for the CLI"
    hearth.hearth("functions", "delete", "cli-gone")
    gone = hearth.hearth("functions", "show", "cli-gone", check=False)
    assert gone.returncode == 1 and gone.stderr.startswith("hearth: ") and gone.stderr.count("\n") == 1


def test_invoke_prints_the_answer_and_the_log(hearth, function, tmp_path):
    assert json.loads(hearth.hearth("invoke", function).stdout) == {"got": {}}
    payload = tmp_path / "event.json"
    payload.write_text('{"dish": "leek"}')
    done = hearth.hearth("invoke", function, "--payload", f"@{payload}", "--log")
    assert json.loads(done.stdout) == {"got": {"dish": "leek"}}
    assert 'line {"dish": "leek"}' in done.stderr and "REPORT" in done.stderr


def test_invoke_of_a_failing_function_is_status_1(hearth, function):
    done = hearth.hearth("invoke", function, "--payload", '{"fail": true}', check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("hearth: the function failed: KeyError: ") and "app.py" in done.stderr
    answer = hearth.hearth("invoke", function, "--payload", '{"fail": true}', "--json", check=False)
    assert answer.returncode == 1 and json.loads(answer.stdout)["function_error"] == "Unhandled"


def test_invoke_with_what_is_no_json_or_no_function(hearth, function):
    assert hearth.hearth("invoke", function, "--payload", "{", check=False).returncode == 1
    missing = hearth.hearth("invoke", "cli-none", check=False)
    assert missing.returncode == 1 and "Function not found" in missing.stderr


def test_invoke_async_is_queued_and_done(hearth, function):
    done = told(hearth, "invoke", function, "--async", "--payload", '{"dish": "async"}')
    assert done["status"] == 202 and done["request_id"]
    with subprocess.Popen(
            [hearth.build / "bin" / "hearth", "--config", hearth.config, "logs", function, "--tail", "1000", "-f"],
            stdout=subprocess.PIPE, text=True, env=hearth.environment) as follower:
        deadline = threading.Timer(30, follower.kill)
        deadline.start()
        try:
            for line in follower.stdout:
                if 'line {"dish": "async"}' in line:
                    break
            else:
                pytest.fail("the log ended, or 30 s, before the function ran")
        finally:
            deadline.cancel()
            follower.kill()


def test_logs_give_the_last_lines(hearth, function):
    hearth.hearth("invoke", function, "--payload", '{"dish": "last"}')
    lines = told_lines(hearth, "logs", function, "--tail", "200")
    mine = [line for line in lines if line["text"] == 'line {"dish": "last"}']
    assert len(mine) == 1 and mine[0]["stream"] == "function"
    platform = [line["text"] for line in lines if line["request_id"] == mine[0]["request_id"]]
    assert platform[0].startswith("START RequestId: ") and platform[-1].startswith("REPORT RequestId: ")
    assert len(hearth.hearth("logs", function, "--tail", "1").stdout.splitlines()) == 1


def test_invocations_tell_the_phases_newest_first(hearth, function):
    for _ in range(2):
        hearth.hearth("invoke", function)
    records = told(hearth, "invocations", function, "--limit", "2")
    assert len(records) == 2 and records[0]["at"] >= records[1]["at"]
    assert records[0]["start"] == "warm" and records[0]["outcome"] == "ok"
    assert 0 < records[0]["phases_ms"]["handler"] <= records[0]["phases_ms"]["total"]
    assert "HANDLER" in hearth.hearth("invocations", function).stdout


def test_pool_and_gateway_are_shown(hearth):
    assert isinstance(told(hearth, "pool"), dict)
    assert isinstance(told(hearth, "gateway", "list"), list)
    assert isinstance(told(hearth, "gateway", "stats"), dict)


def test_account_life(hearth):
    key = told(hearth, "account", "create", ACCOUNT)
    try:
        assert told(hearth, "env", "--account", ACCOUNT)["AWS_ACCESS_KEY_ID"] == key["access_key_id"]
        again = hearth.hearth("account", "create", ACCOUNT, check=False)
        assert again.returncode == 1 and ACCOUNT in again.stderr
        ec2 = hearth.client("ec2", key)
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        full = hearth.hearth("account", "delete", ACCOUNT, check=False)
        assert full.returncode == 1 and "not empty" in full.stderr
        ec2.delete_vpc(VpcId=vpc)
        assert told(hearth, "functions", "list", "--account", ACCOUNT) == []
        new = told(hearth, "account", "key", ACCOUNT)
        assert new["access_key_id"] != key["access_key_id"]
    finally:
        hearth.hearth("account", "delete", ACCOUNT)
    assert ACCOUNT not in hearth.hearth("account", "list").stdout


def test_runtime_alias_is_in_force_at_once(hearth):
    client = hearth.client("lambda")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="python3.13 is not installed here"):
        create_function(client, "cli-alias", {"app.py": HANDLER}, Runtime="python3.13")
    hearth.hearth("runtime", "alias", "python3.13", "python3.11")
    try:
        create_function(client, "cli-alias", {"app.py": HANDLER}, Runtime="python3.13")
        assert json.loads(hearth.hearth("invoke", "cli-alias").stdout) == {"got": {}}
        client.delete_function(FunctionName="cli-alias")
        assert any(r["runtime"] == "python3.13" and r["alias_of"] == "python3.11" for r in told(hearth, "runtime", "list"))
    finally:
        hearth.hearth("runtime", "unalias", "python3.13")
    wrong = hearth.hearth("runtime", "alias", "x", "ruby9", check=False)
    assert wrong.returncode == 1 and "ruby9 is not installed here" in wrong.stderr


def test_vpc_hosts_have_addresses_in_their_subnet(hearth):
    ec2 = hearth.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    host = f"{hearth.name}-cli-host"
    try:
        made = told(hearth, "vpc", "host", "add", vpc, subnet, host)
        assert made["address"].startswith("10.8.1.")
        seen = subprocess.run(["ip", "-n", made["namespace"], "-4", "addr"], capture_output=True, text=True, check=True)
        assert made["address"] in seen.stdout
        shown = told(hearth, "vpc", "show", vpc)
        assert shown["subnets"][0]["hosts"] == [{"name": host, "address": made["address"]}]
        assert made["address"] in hearth.hearth("vpc", "show", vpc).stdout
        assert vpc in hearth.hearth("vpc", "list").stdout
        hearth.hearth("vpc", "host", "remove", host)
        twice = hearth.hearth("vpc", "host", "remove", host, check=False)
        assert twice.returncode == 1 and host in twice.stderr
    finally:
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)
    gone = hearth.hearth("vpc", "show", vpc, check=False)
    assert gone.returncode == 1 and gone.stderr == f"hearth: there is no VPC {vpc}\n"


def test_config_tells_where_values_come_from(hearth):
    items = {item["key"]: item for item in told(hearth, "config", "show")}
    assert items["port"] == {**items["port"], "value": str(hearth.port), "origin": "file"}
    assert items["hold.seconds"]["origin"] in ("file", "default")


def test_the_page_on_configuration_has_the_programs_table(hearth):
    reference = hearth.hearth("config", "reference").stdout
    assert reference in (ROOT / "docs" / "configuration.md").read_text()


def test_the_operators_api_is_not_for_accounts(hearth):
    keys = hearth.credentials()
    (hearth.folder / "as-account").mkdir(exist_ok=True)
    (hearth.folder / "as-account" / "operator").write_text(json.dumps(keys))
    done = subprocess.run([hearth.build / "bin" / "hearth", "status"], capture_output=True, text=True, timeout=60,
                          env={**hearth.environment, "HEARTH_STATE": str(hearth.folder / "as-account"),
                               "HEARTH_PORT": str(hearth.port)})
    assert done.returncode == 1 and "operator" in done.stderr


def test_wrong_usage_is_status_2(hearth):
    done = hearth.hearth("logs", check=False)
    assert done.returncode == 2 and done.stderr.startswith("hearth: ")
