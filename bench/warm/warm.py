"""Warm invocations over HTTP, signed, beside nginx → nginx with keep-alive from the same run: the limit of a proxy."""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from load import (HELLO, Instance, create, medians, ms, need_root, replay, row, signed_invoke, wait_active, zip_of)  # noqa: E402
from instance import free_port, wait_until  # noqa: E402

RUNS, CALLS = 5, {1: 4000, 16: 30000, 64: 30000}

NGINX = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 10000000;
  upstream back {{ server 127.0.0.1:{back}; keepalive 64; }}
  server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
  server {{ listen 127.0.0.1:{back}; location / {{ return 200 '{{"hello": "world"}}'; }} }}
}}
"""


class Nginx:
    """The rival: stands where an Instance stands for replay()."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench-nginx-"))
        self.port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, front=self.port, back=free_port()))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", config], stderr=subprocess.DEVNULL)
        wait_until(lambda: (self.folder / "nginx.pid").exists(), what="nginx")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    need_root()
    instance, nginx = Instance("hbwarm", {"pool.min": 2}).start(), Nginx()
    try:
        client = instance.client("lambda")
        create(client, "hello", zip_of({"app.py": HELLO}), MemorySize=128)
        wait_active(client, "hello")
        request = signed_invoke(instance, "hello")
        plain = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
        replay(instance, [request], repeat=2000, connections=64)
        for connections, calls in CALLS.items():
            ours, theirs = [], []
            for _ in range(RUNS):
                theirs.append(replay(nginx, [plain], repeat=calls, connections=connections))
                ours.append(replay(instance, [request], repeat=calls, connections=connections))
            hearth, proxy = medians(ours), medians(theirs)
            print(f"{connections} client{'s' if connections > 1 else ''}, median of {RUNS} runs of {calls} calls")
            for name, result in (("nginx → nginx", proxy), ("Hearth, Python handler", hearth)):
                row(name, p50=ms(result["p50_us"]), p99=ms(result["p99_us"]),
                    rps=f"{result['per_second']:.0f}/s", failures=result["failures"])
            row("Hearth / nginx", p50=f"{hearth['p50_us'] / proxy['p50_us']:.2f}×",
                rps=f"{hearth['per_second'] / proxy['per_second']:.2f}×")
    finally:
        nginx.stop()
        instance.stop()
        instance.remove()


if __name__ == "__main__":
    main()
