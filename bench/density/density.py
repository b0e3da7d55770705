"""2,000 idle warm Python containers, all networked: what each costs in memory, and a pool hit among them."""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from load import HELLO, Instance, create, ms, need_root, percentile, pool_status, replay, row, signed_invoke, wait_active, zip_of  # noqa: E402
from instance import wait_until  # noqa: E402


def warm_count(instance):
    return sum(pool["stock"] for pool in pool_status(instance)["pools"])


def container_pids(instance):
    for base in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        for file in pathlib.Path(base, instance.name).rglob("cgroup.procs"):
            yield from (int(pid) for pid in file.read_text().split())


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def available_mib():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--containers", type=int, default=2000)
    count = parser.parse_args().containers
    need_root()
    before = available_mib()
    instance = Instance("hbdense", {"pool.min": count, "pool.max": count, "limits.containers": count + 128}).start()
    try:
        began = time.monotonic()
        shown = 0
        while (warm := warm_count(instance)) < count:
            if warm >= shown + 250:
                shown = warm
                print(f"  {warm} warm after {time.monotonic() - began:.0f} s", flush=True)
            wait_until(lambda: warm_count(instance) > warm, seconds=120, every=0.5, what="more warm containers")
        row(f"{count} warm containers made", took=f"{time.monotonic() - began:.0f} s",
            each=f"{(time.monotonic() - began) / count * 1e3:.1f} ms")
        pss = [pss_kib(pid) for pid in container_pids(instance)]
        row("proportional memory (PSS) a container", mean=f"{sum(pss) / count / 1024:.2f} MiB")
        row("memory gone from the machine a container", mean=f"{(before - available_mib()) / count:.2f} MiB (kernel's share included)")
        client = instance.client("lambda")
        cold = []
        for i in range(50):
            create(client, f"f{i}", zip_of({"app.py": f"N = {i}\n" + HELLO}), MemorySize=128)
            wait_active(client, f"f{i}")
            cold.append(replay(instance, [signed_invoke(instance, f"f{i}")]))
        values = [run["max_us"] for run in cold]
        row(f"pool hit with {count} there", p50=ms(percentile(values, 0.5)), p99=ms(percentile(values, 0.99)),
            failures=sum(run["failures"] for run in cold))
    finally:
        instance.stop()
        instance.remove()


if __name__ == "__main__":
    main()
