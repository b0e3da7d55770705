"""What the benchmarks share: an instance, functions in it, signed requests for hearth-replay, a table of results."""
import io
import json
import math
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import zipfile

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from instance import BUILD, Instance  # noqa: E402  (the path above finds it)

HELLO = "def handler(event, context):\n    return {'hello': 'world'}\n"


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def create(client, name, code, **settings):
    client.create_function(FunctionName=name, Runtime="python3.11", Handler="app.handler", Code={"ZipFile": code},
                           Role="arn:aws:iam::000000000000:role/bench", **{"Timeout": 30, **settings})


def wait_active(client, name):
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000})


def signed_invoke(instance, name, payload=b"{}", keys=None):
    """A whole HTTP request that invokes `name`, good for fifteen minutes."""
    keys = keys or instance.credentials()
    url = f"{instance.url}/2015-03-31/functions/{name}/invocations"
    request = AWSRequest("POST", url, data=payload, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(keys["access_key_id"], keys["secret_access_key"]), "lambda", keys["region"]).add_auth(request)
    head = [f"POST {url.removeprefix(instance.url)} HTTP/1.1", f"Host: 127.0.0.1:{instance.port}",
            f"Content-Length: {len(payload)}"] + [f"{key}: {value}" for key, value in request.headers.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + payload


def replay(instance, requests, **options):
    file = instance.folder / "requests"
    file.write_bytes(b"".join(struct.pack("<I", len(r)) + r for r in requests))
    flags = [f"--{key}={value}" for key, value in options.items()]
    done = subprocess.run([BUILD / "bin" / "hearth-replay", file, f"--port={instance.port}", *flags],
                          capture_output=True, text=True, check=True)
    if done.stderr:
        print(done.stderr.strip(), file=sys.stderr)
    return json.loads(done.stdout)


def pool_status(instance):
    return json.loads(instance.hearth("pool", "--json").stdout)


def cold_starts(instance):
    starts = pool_status(instance)["starts"]
    return starts["pool_hit"] + starts["pool_miss"]


def medians(runs, keys=("p50_us", "p99_us", "per_second")):
    """Of several runs of one thing: the median of each number, failures summed."""
    return {**{key: statistics.median(run[key] for run in runs) for key in keys},
            "failures": sum(run["failures"] for run in runs)}


def percentile(values, q):
    """By nearest rank: at least the share `q` of the values is no greater."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def row(label, **numbers):
    print(f"  {label:<44}" + "  ".join(f"{key} {value}" for key, value in numbers.items()), flush=True)


def ms(micros):
    return f"{micros / 1e3:.3f} ms"


def need_root():
    if os.geteuid() != 0:
        sys.exit("this benchmark makes namespaces and containers: run it as root (./dev bench does)")
