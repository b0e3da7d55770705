"""A gate that handlers wait at until the test lets them go on: so that a test knows that a call is under way, and ends it.

Gate listens in an instance's outside network namespace, which functions without a VPC reach; GATED is a handler that waits
at the gate that its event names. wait_for(n) returns when n handlers wait; open() lets them and all later ones through.
"""
import ctypes
import itertools
import os
import socket
import subprocess
import threading

ADDRESS = "198.51.100.2"
CLONE_NEWNET = 0x40000000

WAIT = f"""
import contextlib
import socket

def wait_at(gate):
    # Refused, or reset: it is open.
    with contextlib.suppress(ConnectionError):
        socket.create_connection(("{ADDRESS}", gate)).recv(1)
"""

GATED = WAIT + """
def handler(event, context):
    if event.get("gate"):
        wait_at(event["gate"])
    return event
"""

_ports = itertools.count(8100)


class Gate:
    """`with Gate(instance) as gate`: its `port` is what an event calls "gate"."""

    def __init__(self, instance):
        subprocess.run(["ip", "-n", instance.outside, "addr", "replace", ADDRESS + "/32", "dev", "lo"], check=True)
        self.port = next(_ports)
        self.waiting = []
        listening = threading.Thread(target=self._listen, args=(f"/run/netns/{instance.outside}",))
        listening.start()
        listening.join()
        self.listener.settimeout(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open()

    def _listen(self, namespace):
        """In a thread of its own: a socket stays in the namespace where it was made."""
        with open(namespace) as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.listener = socket.create_server((ADDRESS, self.port), backlog=128)

    def wait_for(self, count=1):
        """Until `count` handlers wait, those of earlier calls among them."""
        while len(self.waiting) < count:
            self.waiting.append(self.listener.accept()[0])

    def open(self):
        # Those that nobody has accepted are reset, which is as good.
        self.listener.close()
        for connection in self.waiting:
            connection.close()
        self.waiting = []
