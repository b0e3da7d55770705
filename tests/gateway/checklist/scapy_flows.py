"""Scapy inside a container: packets of its own making, answers checked by its own arithmetic, then noise.

Run in the container's namespace: scapy_flows.py MAC ADDRESS HOST GATEWAY. The host answers on UDP and TCP port 7000
with "<name> <peer's address>", and on TCP echoes what follows.
"""
import logging
import os
import random
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import ICMP, IP, TCP, UDP, Ether, IPerror, Raw, UDPerror, conf, fuzz, sendp, srp1  # noqa: E402

MAC, ADDRESS, HOST, GATEWAY = sys.argv[1:]
NOISE = 2000
conf.verb = 0
conf.iface = "eth0"


def frame(packet):
    return Ether(src=MAC, dst="02:64:00:00:00:00") / packet


def check_sums(packet):
    """What scapy would have put there."""
    made = IP(bytes(packet[IP]))
    for layer in made.iterpayloads():
        if hasattr(layer, "chksum"):
            del layer.chksum
    made = IP(bytes(made))
    for mine, theirs in zip(made.iterpayloads(), packet[IP].iterpayloads()):
        assert getattr(mine, "chksum", 0) == getattr(theirs, "chksum", 0), packet.show(dump=True)


def ask(packet, timeout=10):
    answer = srp1(frame(packet), timeout=timeout)
    assert answer is not None, f"no answer to {packet.summary()}"
    check_sums(answer)
    return answer


def udp():
    answer = ask(IP(src=ADDRESS, dst=HOST) / UDP(sport=4001, dport=7000) / b"hi")
    assert answer[UDP].dport == 4001 and bytes(answer[UDP].payload).endswith(GATEWAY.encode()), answer


def with_options():
    answer = ask(IP(src=ADDRESS, dst=HOST, options=[b"\x01\x01\x01\x00"]) / UDP(sport=4002, dport=7000) / b"hi")
    assert answer[UDP].dport == 4002


def echo():
    answer = ask(IP(src=ADDRESS, dst=HOST) / ICMP(id=4711, seq=3) / b"echo me")
    assert answer[ICMP].type == 0 and answer[ICMP].id == 4711 and answer[ICMP].seq == 3
    assert bytes(answer[ICMP].payload) == b"echo me"


def unreachable():
    answer = ask(IP(src=ADDRESS, dst=HOST) / UDP(sport=4003, dport=7999) / b"nobody there")
    assert answer[ICMP].type == 3 and answer[ICMP].code == 3 and answer[IP].src == HOST
    assert answer[IPerror].src == ADDRESS and answer[UDPerror].sport == 4003, answer.show(dump=True)


def traceroute():
    answer = ask(IP(src=ADDRESS, dst=HOST, ttl=1) / UDP(sport=4004, dport=33434))
    assert answer[ICMP].type == 11 and answer[IPerror].src == ADDRESS and answer[UDPerror].sport == 4004


def tcp():
    there = IP(src=ADDRESS, dst=HOST)
    seq = random.randrange(1 << 32)
    both = ask(there / TCP(sport=4005, dport=7000, flags="S", seq=seq, options=[("MSS", 1400), ("SAckOK", b"")]))
    assert both[TCP].flags == "SA" and both[TCP].ack == (seq + 1) % (1 << 32)
    hello = ask(there / TCP(sport=4005, dport=7000, flags="A", seq=seq + 1, ack=both[TCP].seq + 1))
    assert GATEWAY.encode() in bytes(hello[TCP].payload), hello
    sendp(frame(there / TCP(sport=4005, dport=7000, flags="R", seq=seq + 1)))


def noise():
    """Whatever comes to scapy's mind, from the container's own address and from others'."""
    random.seed(20261125)
    packets = []
    for number in range(NOISE):
        upper = (fuzz(UDP()), fuzz(TCP()), fuzz(ICMP()), Raw(os.urandom(number % 64)))[number % 4]
        lower = IP(src=ADDRESS, dst=HOST, ttl=random.randrange(256), frag=random.choice([0, 0, 1, 185, 8191]),
                   flags=random.choice(["", "MF", "DF"]), options=random.choice([[], [os.urandom(8)]]))
        if number % 8 == 7:
            lower = fuzz(IP(version=4, dst=HOST))
        packets.append(frame(lower / upper / Raw(os.urandom(number % 700))))
    sendp(packets)


for step in (udp, with_options, echo, unreachable, traceroute, tcp, noise):
    step()
    print("scapy:", step.__name__)
