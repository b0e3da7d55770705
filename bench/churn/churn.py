"""10,000 cold starts and kills: what the machine holds before and after must be the same."""
import argparse
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from load import HELLO, Instance, cold_starts, create, need_root, pool_status, replay, row, signed_invoke, wait_active, zip_of  # noqa: E402
from instance import wait_until  # noqa: E402


RECORDS = 10_000


def rss_mib(pid):
    return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def fds(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def census(instance):
    lsns = subprocess.run(["lsns", "-n", "-o", "TYPE"], capture_output=True, text=True).stdout.split()
    return {
        "processes": len(list(pathlib.Path("/proc").glob("[0-9]*"))),
        "namespaces": len(lsns),
        "mounts": len(open("/proc/mounts").readlines()),
        "cgroups": sum(1 for _ in pathlib.Path("/sys/fs/cgroup").rglob("cgroup.procs")),
        "hearthd_fds": fds(instance.hearthd.pid), "warden_fds": fds(instance.warden.pid),
        "hearthd_MiB": round(rss_mib(instance.hearthd.pid)), "warden_MiB": round(rss_mib(instance.warden.pid)),
    }


def settled(instance):
    """The census when nothing is bound and the pool is full again."""
    def calm():
        status = pool_status(instance)
        return not status["instances"] and status["containers"] == 8 and status["pools"][0]["stock"] == 8
    wait_until(calm, seconds=60, every=0.2, what="a calm pool")
    wait_until(lambda: census(instance) == (time.sleep(0.3) or census(instance)), seconds=60, what="a steady census")
    return census(instance)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=10_000)
    starts = parser.parse_args().starts
    need_root()
    instance = Instance("hbchurn", {"hold.seconds": 0, "pool.min": 8, "pool.max": 8}).start()
    try:
        client = instance.client("lambda")
        create(client, "hello", zip_of({"app.py": HELLO}), MemorySize=128)
        wait_active(client, "hello")
        # hearthd keeps a record of the last 10,000 invocations, which grows until then.
        for _ in range(RECORDS // 1000):
            replay(instance, [signed_invoke(instance, "hello")], repeat=1000, connections=4)
        print(f"  {RECORDS} starts and kills before the first count", flush=True)
        before = settled(instance)
        started, failures, done = cold_starts(instance), 0, 0
        while done < starts:
            run = replay(instance, [signed_invoke(instance, "hello")], repeat=1000, connections=4)
            done, failures = done + run["count"], failures + run["failures"]
            print(f"  {done} starts and kills, {failures} failed, {run['per_second']:.0f}/s", flush=True)
        after = settled(instance)
        row("calls", made=done, cold=cold_starts(instance) - started, failures=failures)
        for what in before:
            row(what, before=before[what], after=after[what])
    finally:
        instance.stop()
        instance.remove()


if __name__ == "__main__":
    main()
