"""A Hearth of one's own: for tests and benchmarks.

Instance starts hearth-warden and hearthd from $HEARTH_BUILD/bin with a configuration, state, runtime folder, port and
instance name of its own, so that it stands beside any other; stop() ends both, purges, and leftovers() tells what is
still there by its name. Needs root. Functions without a VPC go out into a network namespace made here: no packet
leaves the machine.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("HEARTH_BUILD", "build")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds=20, every=0.02, what="the condition"):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not hold within {seconds} s")
        time.sleep(every)


def toml_of(settings):
    """{"pool.min": 2, "port": 1} as TOML, whose bare keys come before its tables."""
    lines = []
    for key, value in settings.items():
        lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


class Instance:
    def __init__(self, name, settings=None, build=BUILD):
        self.name, self.build = name, pathlib.Path(build)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"hearth-{name}-"))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.run_dir = pathlib.Path("/run") / name
        self.port = free_port()
        self.outside = f"{name}-outside"
        self.config = self.folder / "hearth.toml"
        self.settings = {
            "instance": name, "port": self.port, "state": str(self.state), "run_dir": str(self.run_dir),
            "network.outside": self.outside, "gateway.driver": "netns", **(settings or {})}
        self.config.write_text(toml_of(self.settings))
        self.warden = self.hearthd = None
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEARTH_", "AWS_"))}

    # ---- life
    def start(self):
        subprocess.run(["ip", "netns", "add", self.outside], check=True)
        subprocess.run(["ip", "-n", self.outside, "link", "set", "lo", "up"], check=True)
        try:
            self.start_warden()
            self.start_hearthd()
        except BaseException:
            self.stop()
            raise
        return self

    def spawn(self, program):
        log = open(self.folder / f"{program}.log", "ab")
        return subprocess.Popen([self.build / "bin" / program, "--config", self.config], stdout=log, stderr=log,
                                env=self.environment, start_new_session=True)

    def start_warden(self):
        self.warden = self.spawn("hearth-warden")
        wait_until(lambda: (self.run_dir / "warden.sock").exists() or self.dead(self.warden), what="the warden's socket")

    def start_hearthd(self):
        self.hearthd = self.spawn("hearthd")
        wait_until(lambda: self.healthy() or self.dead(self.hearthd), what="hearthd's health")

    def dead(self, process):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}:\n{self.logs()}")
        return False

    def healthy(self):
        try:
            with urllib.request.urlopen(f"{self.url}/_hearth/health", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in (self.hearthd, self.warden):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    self.kill(process)
        subprocess.run([self.build / "bin" / "hearth-warden", "purge", "--config", self.config], check=True,
                       env=self.environment)
        subprocess.run(["ip", "netns", "delete", self.outside], check=False)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- what it says
    def logs(self):
        return "".join(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}" for log in self.folder.glob("*.log"))

    def function_log(self, name, account="000000000000"):
        """The log file of a function, as it is on disk now."""
        file = self.state / "logs" / account / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def leftovers(self):
        """Everything on this machine that still carries the instance's name."""
        found = []
        mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
        found += [f"mount {line.split()[1]}" for line in mounts
                  if line.split()[1].startswith((str(self.run_dir), f"/sys/fs/bpf/{self.name}"))]
        found += [f"cgroup {path}" for path in pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.name}")]
        found += [f"cgroup {path}" for path in pathlib.Path("/sys/fs/cgroup").glob(f"{self.name}")]
        found += [f"namespace {path}" for path in pathlib.Path("/run/netns").glob(f"{self.name}-*")]
        found += [f"interface {path}" for path in pathlib.Path("/sys/class/net").glob(f"{self.name}*")]
        found += [f"pin {path}" for path in pathlib.Path("/sys/fs/bpf").glob(f"{self.name}*")]
        found += [f"folder {self.run_dir}"] if self.run_dir.exists() else []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if str(self.config).encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                    found.append(f"process {process.name}")
            except OSError:
                continue
        return found

    # ---- clients
    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def credentials(self, file="credentials"):
        return json.loads((self.state / file).read_text())

    def client(self, service, credentials=None, **config):
        keys = credentials or self.credentials()
        options = {"retries": {"total_max_attempts": 1}, "read_timeout": 120, "max_pool_connections": 200, **config}
        return boto3.client(
            service, endpoint_url=self.url, region_name=keys["region"], aws_access_key_id=keys["access_key_id"],
            aws_secret_access_key=keys["secret_access_key"], config=Config(**options))

    def hearth(self, *arguments, check=True):
        """The CLI, as the operator runs it."""
        done = subprocess.run([self.build / "bin" / "hearth", "--config", self.config, *arguments],
                              capture_output=True, text=True, env=self.environment, timeout=120)
        if check and done.returncode != 0:
            raise RuntimeError(f"hearth {' '.join(map(str, arguments))}: {done.stderr}")
        return done


@contextlib.contextmanager
def instance_of_ones_own(name, settings=None):
    """An Instance that runs, and of which nothing may be left afterwards."""
    instance = Instance(name, settings).start()
    try:
        yield instance
    finally:
        instance.stop()
        left = instance.leftovers()
        logs = instance.logs()
        instance.remove()
        assert left == [], f"left behind: {left}\n{logs}"
