"""The tour: a function from PyPI reads a private PostgreSQL through the PAT gateway, twice, for two tenants.

Everything is real: a PostgreSQL server in a host of the VPC, psycopg in the zip, boto3 as the client. Run by `dev run`
as root, with Hearth listening. What it makes, it removes at its end, whatever happened.
"""
import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("HEARTH_BUILD", "build")
HEARTH = str(BUILD / "bin" / "hearth")
RUNTIME = "python3.11"
CIDR, SUBNET_CIDR = "10.0.0.0/16", "10.0.1.0/24"

HANDLER = '''
import os
import psycopg

def handler(event, context):
    with psycopg.connect(os.environ["DATABASE"]) as connection:
        rows = connection.execute("select id, dish from menu order by id").fetchall()
        seen = connection.execute("select host(inet_client_addr())").fetchone()[0]
    return {"rows": rows, "address_seen_by_postgresql": seen}
'''

PG_BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]


@contextlib.contextmanager
def step(text):
    print(f"  {text} … ", end="", flush=True)
    began = time.monotonic()
    yield
    print(f"done in {time.monotonic() - began:.1f} s", flush=True)


def hearth(*arguments):
    done = subprocess.run([HEARTH, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"\nhearth {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def credentials(account=None):
    lines = hearth("env", *(["--account", account] if account else [])).splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))


def client(service, env):
    strip = lambda name: env[name].strip("'\"")
    return boto3.client(
        service, endpoint_url=strip("AWS_ENDPOINT_URL"), region_name=strip("AWS_REGION"),
        aws_access_key_id=strip("AWS_ACCESS_KEY_ID"), aws_secret_access_key=strip("AWS_SECRET_ACCESS_KEY"),
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60))


def package(folder):
    subprocess.run([str(BUILD / "venv/bin/pip"), "-q", "--disable-pip-version-check", "install", "--no-compile",
                    "--target", folder, "psycopg[binary]"], check=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", HANDLER)
        for file in sorted(pathlib.Path(folder).rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


class Postgres:
    """A PostgreSQL server of our own in a VPC host, its data in a temporary folder."""

    def __init__(self, netns, address, dishes, cleanup):
        self.folder = tempfile.mkdtemp(prefix="hearth-tour-pg-")
        cleanup.callback(shutil.rmtree, self.folder)
        self.address = address
        data = f"{self.folder}/data"
        shutil.chown(self.folder, "postgres", "postgres")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        with open(f"{data}/pg_hba.conf", "a") as hba:
            hba.write("host all all 0.0.0.0/0 trust\n")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", netns, *self.as_postgres(), f"{PG_BIN}/postgres", "-D", data, "-h", address,
             "-k", self.folder, "-c", "fsync=off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cleanup.callback(self.stop)
        self.wait_until_ready()
        values = ", ".join(f"('{dish}')" for dish in dishes)
        self.run("psql", "-q", "-h", self.folder, "-U", "postgres", "-c",
                 f"create table menu (id serial primary key, dish text); insert into menu (dish) values {values}")

    @staticmethod
    def as_postgres():
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(self, program, *arguments):
        subprocess.run([*self.as_postgres(), f"{PG_BIN}/{program}", *arguments], check=True, cwd="/",
                       stdout=subprocess.DEVNULL)

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        while subprocess.run([f"{PG_BIN}/pg_isready", "-q", "-h", self.folder]).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit("\nPostgreSQL did not start")
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Tenant:
    def __init__(self, name, account, dishes, cleanup):
        self.name = name
        env = credentials(account)
        self.ec2, self.lambda_ = client("ec2", env), client("lambda", env)
        with step(f"{name}: VPC {CIDR}, subnet {SUBNET_CIDR}, security group"):
            self.vpc = self.ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
            cleanup.callback(self.ec2.delete_vpc, VpcId=self.vpc)
            self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=SUBNET_CIDR)["Subnet"]["SubnetId"]
            cleanup.callback(self.ec2.delete_subnet, SubnetId=self.subnet)
            self.group = self.ec2.create_security_group(
                GroupName="tour", Description="PostgreSQL only", VpcId=self.vpc)["GroupId"]
            cleanup.callback(self.ec2.delete_security_group, GroupId=self.group)
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            self.ec2.revoke_security_group_egress(GroupId=self.group, IpPermissions=everything)
            self.ec2.authorize_security_group_egress(GroupId=self.group, IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": SUBNET_CIDR}]}])
        with step(f"{name}: PostgreSQL on a host inside that VPC"):
            host = f"tour-{name}-db"
            made = json.loads(hearth("vpc", "host", "add", self.vpc, self.subnet, host, "--json"))
            cleanup.callback(hearth, "vpc", "host", "remove", host)
            self.address = made["address"]
            self.server = Postgres(host, self.address, dishes, cleanup)

    def create(self, code, cleanup):
        with step(f"{self.name}: create function `menu` ({len(code) / 1e6:.1f} MB, psycopg inside) with a VpcConfig"):
            self.lambda_.create_function(
                FunctionName="menu", Runtime=RUNTIME, Handler="app.handler", Code={"ZipFile": code}, Timeout=10,
                Role="arn:aws:iam::000000000000:role/tour", MemorySize=256,
                Environment={"Variables": {"DATABASE": f"postgresql://postgres@{self.address}/postgres"}},
                VpcConfig={"SubnetIds": [self.subnet], "SecurityGroupIds": [self.group]})
            cleanup.callback(self.lambda_.delete_function, FunctionName="menu")
            self.lambda_.get_waiter("function_active_v2").wait(FunctionName="menu", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})

    def invoke(self):
        began = time.monotonic()
        reply = self.lambda_.invoke(FunctionName="menu", Payload=b"{}")
        took = (time.monotonic() - began) * 1e3
        body = json.loads(reply["Payload"].read())
        if "FunctionError" in reply:
            sys.exit(f"\nthe function failed: {body}")
        return body, took


def show_phases(title, record, took):
    print(f"    {title}: {took:.1f} ms seen by boto3")
    phases = record["phases_ms"]
    for name in ("queue", "make", "pick", "mount", "limits", "network", "message", "shim", "import", "handler", "reply"):
        if phases.get(name):
            print(f"      {name:<8} {phases[name]:9.3f} ms")


def main():
    if os.geteuid() != 0:
        sys.exit("the tour makes network namespaces: run it as root (./dev run does)")
    with contextlib.ExitStack() as cleanup:
        build = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="hearth-tour-"))
        with step("psycopg from PyPI into a zip"):
            code = package(build)
        first = Tenant("one", None, ["leek soup", "rye bread"], cleanup)
        first.create(code, cleanup)
        cold, cold_ms = first.invoke()
        warm, warm_ms = first.invoke()
        records = json.loads(hearth("invocations", "menu", "--json", "--limit", "2"))
        print(f"    rows out of the private database: {cold['rows']}")
        print(f"    PostgreSQL at {first.address} saw {cold['address_seen_by_postgresql']}: the gateway, not the container")
        show_phases("cold", records[1], cold_ms)
        show_phases("warm", records[0], warm_ms)

        account = "111122223333"
        hearth("account", "create", account)
        cleanup.callback(hearth, "account", "delete", account)
        second = Tenant("two", account, ["plum cake"], cleanup)
        second.create(code, cleanup)
        other, _ = second.invoke()
        again, _ = first.invoke()
        print(f"    the same range, the same server address {second.address}: tenant two reads {other['rows']}, "
              f"tenant one still {again['rows']}")
        if second.address != first.address or other["rows"] == again["rows"]:
            sys.exit("the tenants are not apart")
    print("  the tour is over; what it made is removed, Hearth goes on running")


if __name__ == "__main__":
    main()
