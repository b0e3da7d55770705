"""What hearth-warden refuses: frames that end the connection, and requests with the error that answers them.

They suppose the network of warden_world.World.
"""
import json
import os

from warden_world import HEX, KIB

DEEP = b'{"id":1,"op":"kill","container":' + b"[" * 40 + b"]" * 40 + b"}"
GARBAGE = [b"", b"\0", b"{", b"[]", b'"hello"', b"null", b"[" * 1000, DEEP, b'{"id":1,"op":"hello","version":1',
           b'{"id":1}{"id":2}', b'{"op":"list_containers"}', b'{"id":-1,"op":"list_containers"}',
           b'{"id":1.5,"op":"list_containers"}', b'{"id":"1","op":"list_containers"}',
           b'{"id":9223372036854775808,"op":"list_containers"}', b'{"id":1,"op":"kill","container":"\xff"}',
           b'{"id":1,"op":"kill","container":"\\ud800"}', b'{"id":1,"op":"list_containers"}' + b" " * (128 * KIB)]

NONE = "c0123456789abcdef"  # nobody's container
START = json.dumps({"version": 1, "handler": "app.handler", "environment": {}})
BIND = {"op": "bind", "container": NONE, "package": HEX["a"], "layers": [], "memory_mib": 128, "tmp_mib": 512,
        "attachment": "", "policy": "", "nameservers": [], "start": START}
SUBNET = {"vpc": "v1", "subnet": "s1"}
ATTACH = {"op": "ensure_attachment", "gateway": "gw", "attachment": "a2", **SUBNET, "address": "10.91.0.30"}
HOST = {"op": "add_vpc_host", **SUBNET, "name": "hhd-planted", "address": "10.91.0.21"}
BRIDGE = {"op": "attach_vpc_bridge", **SUBNET, "bridge": "lo", "vlan": 0}
VXLAN = {"op": "attach_vpc_vxlan", **SUBNET, "vni": 7, "remote": "192.0.2.1"}
NEW_SUBNET = {"op": "ensure_subnet", "vpc": "v1", "subnet": "s9", "cidr": "10.99.0.0/24"}
RULE = {"protocol": "tcp", "from_port": 1, "to_port": 2, "cidr": "10.0.0.0/8"}
BAD_NAMES = ["", "..", "../../etc", "/etc", "a/b", ".a", "-a", "a b", "a\n", "a\0b", "ü", "a" * 65]
BAD_DIGESTS = ["", "../../etc", "/etc", "A" * 64, "a" * 63, "a" * 65, "a" * 63 + "/", "../" + "a" * 61,
               "a" * 32 + "\0" * 32]
BAD_IDS = ["", "../c0123456789ab", "c0123456789abcde/", "C0123456789abcdef", "c0123456789abcdef0", "c0123456789abcd\0f",
           ".."]
BAD_ADDRESSES = ["", "lo", "10.0.0", "10.0.0.256", "010.0.0.1", "::1", "1.1.1.1\n", "1.1.1.1\0", "1.1.1.1 2",
                 "0x0a000001", "1"]
BAD_RANGES = ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8\n", "/8", "::/0"]

NO_BRIDGES = [name for name in ("lo", "eth0") if os.path.exists(f"/sys/class/net/{name}")]


def each(request, field, values, text, kind="invalid"):
    return [({**request, field: value}, kind, text) for value in values]


def rule(**changes):
    return {"op": "ensure_policy", "policy": "p9", "egress": [RULE, {**RULE, **changes}]}


# (what is asked, kind of the error, what its message says)
REFUSED = [
    ({"op": "nonsense"}, "invalid", "request.op nonsense is not known"),
    ({"op": 7}, "invalid", "request.op must be a string"),
    ({}, "invalid", "request.op is missing"),
    ({"op": "list_containers", "container": NONE}, "invalid", "request.container is not known"),
    # containers
    *each({"op": "make_container"}, "runtime", BAD_NAMES, "request.runtime is"),
    *each({"op": "make_container"}, "runtime", [7, None, [], {}], "request.runtime must be a string"),
    *each({"op": "make_container"}, "runtime", ["cobol", "python3.11.", "root-python3.11"], "is not installed here"),
    *each({"op": "adopt_container"}, "container", BAD_IDS, "request.container is"),
    *each({"op": "kill"}, "container", BAD_IDS, "request.container is"),
    *each({"op": "freeze", "frozen": True}, "container", BAD_IDS, "request.container is"),
    *each({"op": "freeze", "container": NONE}, "frozen", [1, "yes", None], "request.frozen must be true or false"),
    *(({"op": op, "container": NONE, **more}, "not_found", f"no container {NONE}")
      for op, more in (("adopt_container", {}), ("kill", {}), ("freeze", {"frozen": True}), ("bind", BIND))),
    *each(BIND, "container", BAD_IDS, "request.container is"),
    *each(BIND, "package", BAD_DIGESTS, "request.package is"),
    *each(BIND, "layers", [[HEX["a"], digest] for digest in BAD_DIGESTS], "request.layers holds"),
    *each(BIND, "layers", [[HEX["a"]] * 6], "request.layers has over 5 items"),
    *each(BIND, "layers", [HEX["a"], {}], "request.layers must be an array"),
    *each(BIND, "memory_mib", [-1, 0, 127, 10241, 2**62], "request.memory_mib must be between 128 and 10240"),
    *each(BIND, "memory_mib", [2**64, 128.5, "128", None], "request.memory_mib must be an integer"),
    *each(BIND, "tmp_mib", [-1, 0, 511, 10241, 2**62], "request.tmp_mib must be between 512 and 10240"),
    *each(BIND, "attachment", BAD_NAMES[1:], "request.attachment is"),
    *each(BIND, "policy", BAD_NAMES[1:], "request.policy is"),
    *each(BIND, "nameservers", [["1.1.1.1", bad] for bad in BAD_ADDRESSES], "request.nameservers holds"),
    *each(BIND, "nameservers", [["1.1.1.1\nnameserver 6.6.6.6"]], "request.nameservers holds a string over 15 bytes"),
    *each(BIND, "nameservers", [["1.1.1.1"] * 4], "request.nameservers has over 3 items"),
    *each(BIND, "start", ["x" * (64 * KIB + 1)], "request.start is over 65536 bytes"),
    *each(BIND, "start", [{}, None], "request.start must be a string"),
    # gateways and attachments
    *each({"op": "ensure_gateway", "driver": "netns"}, "gateway", BAD_NAMES, "request.gateway is"),
    *each({"op": "ensure_gateway", "driver": "netns"}, "gateway", ["fn", "vpc-v1", "vpc-new"], "gateway:"),
    *each({"op": "ensure_gateway", "gateway": "gw"}, "driver", ["", "docker", "../vm"], "driver must be one of"),
    ({"op": "ensure_outside", "gateway": "gw9"}, "not_found", "no gateway gw9"),
    ({"op": "gateway_stats", "gateway": "gw9"}, "not_found", "no gateway gw9"),
    *each(ATTACH, "attachment", BAD_NAMES, "request.attachment is"),
    *each(ATTACH, "attachment", ["outside"], "'outside' is made by ensure_outside"),
    *each(ATTACH, "address", BAD_ADDRESSES, "request.address is"),
    *each(ATTACH, "address", ["10.91.0.0", "10.91.0.1", "10.91.0.255", "10.92.0.9", "127.0.0.1"],
          "no address for a gateway"),
    *each(ATTACH, "gateway", ["gw9"], "no gateway gw9", "not_found"),
    *each(ATTACH, "vpc", ["v9", "fn"], "no VPC ", "not_found"),
    *each(ATTACH, "subnet", ["s2", "s9"], "no subnet s", "not_found"),
    ({**ATTACH, "attachment": "a1", "vpc": "v2", "subnet": "s2", "address": "10.92.0.9"}, "conflict",
     "is in another VPC"),
    # policies
    *each({"op": "ensure_policy", "egress": []}, "policy", BAD_NAMES, "request.policy is"),
    *((rule(cidr=bad), "invalid", "request.egress.cidr is") for bad in BAD_RANGES),
    *((rule(protocol=bad), "invalid", "request.egress.protocol must be one of") for bad in ("", "tcp\n", "47", "TCP")),
    *((rule(from_port=bad), "invalid", "request.egress.from_port must be between") for bad in (-2, 65536)),
    *((rule(to_port=bad), "invalid", "request.egress.to_port must be an integer") for bad in (2**64, "1", None)),
    (rule(drop=True), "invalid", "request.egress.drop is not known"),
    ({**rule(), "egress": [RULE] * 1001}, "invalid", "request.egress has over 1000 items"),
    ({**rule(), "egress": [7]}, "invalid", "request.egress must be an object"),
    # VPCs, subnets, hosts
    *each({"op": "ensure_vpc"}, "vpc", BAD_NAMES, "request.vpc is"),
    *each({"op": "delete_vpc"}, "vpc", BAD_NAMES, "request.vpc is"),
    ({"op": "delete_vpc", "vpc": "v1"}, "conflict", "VPC v1 has the attachment a1"),
    ({"op": "delete_subnet", **SUBNET}, "conflict", "subnet s1 has the attachment a1"),
    *each(NEW_SUBNET, "subnet", BAD_NAMES, "request.subnet is"),
    *each(NEW_SUBNET, "vpc", ["v9", "fn", "gw"], "no VPC ", "not_found"),
    *each(NEW_SUBNET, "cidr", BAD_RANGES, "request.cidr is"),
    *each(NEW_SUBNET, "cidr", ["0.0.0.0/0", "10.0.0.0/7", "10.0.0.0/31", "10.0.0.1/24"],
          "a network of /8 to /30 is wanted"),
    *each({**NEW_SUBNET, "subnet": "s1"}, "cidr", ["10.91.0.0/25"], "subnet s1 has another range", "conflict"),
    *each(HOST, "name", BAD_NAMES, "request.name is"),
    *each(HOST, "name", ["hhd-outside"], "a network namespace hhd-outside exists that is no VPC host", "conflict"),
    *each(HOST, "name", ["hhd-host"], "VPC host hhd-host exists", "conflict"),
    *each(HOST, "address", BAD_ADDRESSES, "request.address is"),
    *each(HOST, "address", ["10.91.0.1", "10.91.0.255", "10.92.0.21", "127.0.0.1"], "no host's address in the subnet"),
    *each(HOST, "address", ["10.91.0.9"], "10.91.0.9 is the gateway's", "conflict"),
    *each({"op": "delete_vpc_host"}, "name", BAD_NAMES, "request.name is"),
    # ties to the host's own networks
    *each(BRIDGE, "bridge", [*BAD_NAMES, "a" * 16], "request.bridge is"),
    *each(BRIDGE, "bridge", NO_BRIDGES, " is no bridge"),
    *each(BRIDGE, "bridge", ["hhd-none"], "no bridge hhd-none on this host", "not_found"),
    *each(BRIDGE, "vlan", [-1, 4095, 2**62], "request.vlan must be between 0 and 4094"),
    *each(BRIDGE, "subnet", ["s9"], "no subnet s9 in v1", "not_found"),
    *each(VXLAN, "vni", [-1, 0, 2**24, 2**62], "request.vni must be between 1 and 16777215"),
    *each(VXLAN, "remote", BAD_ADDRESSES, "request.remote is"),
    *each(VXLAN, "remote", ["224.0.0.1"], "make vxlan", "internal"),
    *each(VXLAN, "vpc", ["v9", "fn"], "no VPC ", "not_found"),
    *each({"op": "detach_vpc", "vpc": "v1"}, "subnet", BAD_NAMES, "request.subnet is")]
