"""A program of its own, standard library only: makes addresses unreachable in another network namespace.

Started as `python -I -S routes.py PID ADDRESS[/PREFIX]...`, with the rights that the namespace's owner has.
What runs in the namespace later has fewer and cannot take the routes away.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
RTM_NEWROUTE = 24
REQUEST_CREATE_REPLACE_ACK = 0x1 | 0x400 | 0x100 | 0x4
TABLE_MAIN, PROTOCOL_STATIC, SCOPE_UNIVERSE, TYPE_UNREACHABLE = 254, 4, 0, 7
ATTRIBUTE_DESTINATION = 1
NLMSG_ERROR = 2

libc = ctypes.CDLL(None, use_errno=True)


def enter(pid: int) -> None:
    """Both descriptors first: afterwards we may not look at the process any more."""
    spaces = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), kind)
              for name, kind in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET))]  # fmt: skip
    for fd, kind in spaces:
        if libc.setns(fd, kind):
            raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")


def request(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bytes:
    """struct rtmsg and the destination, as rtnetlink(7) has them."""
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    head = struct.pack("=BBBBBBBBI", family, network.prefixlen, 0, 0, TABLE_MAIN, PROTOCOL_STATIC,
                       SCOPE_UNIVERSE, TYPE_UNREACHABLE, 0)  # fmt: skip
    packed = network.network_address.packed
    body = head + struct.pack("=HH", 4 + len(packed), ATTRIBUTE_DESTINATION) + packed
    return struct.pack("=IHHII", 16 + len(body), RTM_NEWROUTE, REQUEST_CREATE_REPLACE_ACK, 1, 0) + body


def add(netlink: socket.socket, text: str) -> None:
    network = ipaddress.ip_network(text)
    netlink.send(request(network))
    answer = netlink.recv(65536)
    kind = struct.unpack_from("=H", answer, 4)[0]
    code = -struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
    if code:
        raise OSError(code, f"{text}: {os.strerror(code)}")


def main() -> int:
    enter(int(sys.argv[1]))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        for text in sys.argv[2:]:
            add(netlink, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
