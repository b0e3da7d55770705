"""Cold starts of a hello handler that is new each time, beside the warm call and the machine's floors."""
import argparse
import ctypes
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from load import (HELLO, Instance, cold_starts, create, ms, need_root, percentile, pool_status, replay, row, signed_invoke, wait_active, zip_of)  # noqa: E402
from instance import wait_until  # noqa: E402


def floors():
    print("floors of this machine, this run")
    times = []
    for _ in range(20):
        began = time.perf_counter()
        subprocess.run(["/usr/bin/python3", "-I", "-c", "pass"], check=True)
        times.append((time.perf_counter() - began) * 1e6)
    row("python3 -c pass", p50=ms(percentile(times, 0.5)), p99=ms(percentile(times, 0.99)))
    times = []
    with open("fsync.probe", "wb") as file:
        for _ in range(100):
            began = time.perf_counter()
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1e6)
    os.unlink("fsync.probe")
    row("append + fsync", p50=ms(percentile(times, 0.5)), p99=ms(percentile(times, 0.99)))
    libc = ctypes.CDLL(None, use_errno=True)
    flags = 0x10000000 | 0x20000 | 0x20000000 | 0x40000000 | 0x8000000 | 0x4000000 | 0x2000000  # user mnt pid net ipc uts cgroup
    times = []
    for _ in range(50):
        began = time.perf_counter()
        pid = libc.syscall(56, flags | 17, 0, 0, 0, 0)  # clone(2): the child leaves at once
        if pid == 0:
            os._exit(0)
        times.append((time.perf_counter() - began) * 1e6)
        os.waitpid(pid, 0)
    row("clone into all namespaces", p50=ms(percentile(times, 0.5)), p99=ms(percentile(times, 0.99)))


def new_functions(client, prefix, count, **settings):
    """`count` functions, each of its own code, all active."""
    names = [f"{prefix}-{i}" for i in range(count)]
    for name in names:
        create(client, name, zip_of({"app.py": f"NAME = {name!r}\n" + HELLO}), MemorySize=128, **settings)
    for name in names:
        wait_active(client, name)
    return names


def pool_ready(instance, warm):
    return all(pool["stock"] >= warm and pool["making"] == 0 for pool in pool_status(instance)["pools"])


def one_by_one(instance, client, names, warm):
    """First calls, each when the pool is full again; then second calls. Latencies in µs, and the records of the starts."""
    cold, calm = [], []
    requests = {name: signed_invoke(instance, name) for name in names}
    for name in names:
        wait_until(lambda: pool_ready(instance, warm), what="a full pool")
        cold.append(replay(instance, [requests[name]]))
        calm.append(replay(instance, [requests[name]], repeat=20))
    return cold, calm


def show(label, cold, calm, records):
    values = [run["max_us"] for run in cold]
    warm = statistics.median(run["p50_us"] for run in calm)
    imports = statistics.median(r["phases_ms"].get("import", 0) for r in records) * 1e3
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    row(label, p50=ms(p50), p99=ms(p99), warm=ms(warm), over_warm=ms(p50 - warm), handlers_import=ms(imports),
        failures=sum(run["failures"] for run in cold))
    return p50


def records_of(instance, prefix, start):
    found = json.loads(instance.hearth("invocations", "--json", "--limit", "1000").stdout)
    return [r for r in found if prefix in r["function"] and r["start"] == start]


def vpc_settings(instance):
    ec2 = instance.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="bench", Description="bench", VpcId=vpc)["GroupId"]
    return {"VpcConfig": {"SubnetIds": [subnet], "SecurityGroupIds": [group]}}


def with_instance(settings, measure):
    instance = Instance("hbstart", settings).start()
    try:
        return measure(instance, instance.client("lambda"))
    finally:
        instance.stop()
        instance.remove()


def measure_hits(count):
    def measure(instance, client):
        results = {}
        for label, prefix, settings in (("pool hit", "hit", {}), ("pool hit in a VPC", "vpc", vpc_settings(instance))):
            names = new_functions(client, prefix, count, **settings)
            cold, calm = one_by_one(instance, client, names, 4)
            results[prefix] = show(label, cold, calm, records_of(instance, prefix, "pool_hit"))
        row("VPC − without", p50=ms(results["vpc"] - results["hit"]))
        names = new_functions(client, "burst", 50)
        burst = replay(instance, [signed_invoke(instance, n) for n in names], connections=50)
        row("burst of 50 new functions at once", p50=ms(burst["p50_us"]), p99=ms(burst["p99_us"]), failures=burst["failures"])
    with_instance({"pool.min": 8, "pool.max": 64}, measure)


def measure_misses(count):
    def measure(instance, client):
        names = new_functions(client, "miss", count)
        cold, calm = one_by_one(instance, client, names, 0)
        show("pool miss", cold, calm, records_of(instance, "miss", "pool_miss"))
    with_instance({"pool.min": 0, "pool.max": 0}, measure)


def measure_sustained(seconds):
    def measure(instance, client):
        names = new_functions(client, "churn", 64)
        requests = [signed_invoke(instance, name) for name in names]
        replay(instance, requests, connections=8)
        started, began, calls, failures, worst = cold_starts(instance), time.monotonic(), 0, 0, []
        while time.monotonic() - began < seconds:
            run = replay(instance, requests, connections=16, repeat=5)
            calls, failures = calls + run["count"], failures + run["failures"]
            worst.append(run["p99_us"])
        elapsed, started = time.monotonic() - began, cold_starts(instance) - started
        row(f"cold starts for {elapsed:.0f} s, hold 0", per_core=f"{started / elapsed / os.cpu_count():.0f}/s",
            calls=calls, cold=started, p99=ms(statistics.median(worst)), failures=failures)
    with_instance({"hold.seconds": 0, "pool.min": 32, "pool.max": 64}, measure)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--functions", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    need_root()
    floors()
    print(f"first call of a function, client-observed over HTTP ({arguments.functions} functions each)")
    measure_hits(arguments.functions)
    measure_misses(arguments.functions)
    measure_sustained(arguments.seconds)


if __name__ == "__main__":
    main()
