"""A program of its own: makes addresses unreachable in another network namespace.

Started as `python -I -S routes.py PID NETWORK...`, each network a hexadecimal address and a prefix length,
such as `7f000001/32`. It has the rights of the namespace's owner; what runs in the namespace later has fewer
and cannot take the routes away. The start of a server waits for its end, so it imports next to nothing.
"""

from __future__ import annotations

import _socket
import ctypes
import os
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


def request(network: str) -> bytes:
    """struct rtmsg and the destination, as rtnetlink(7) has them."""
    address, _, prefix = network.partition("/")
    packed = bytes.fromhex(address)
    family = _socket.AF_INET if len(packed) == 4 else _socket.AF_INET6
    head = struct.pack("=BBBBBBBBI", family, int(prefix), 0, 0, TABLE_MAIN, PROTOCOL_STATIC,
                       SCOPE_UNIVERSE, TYPE_UNREACHABLE, 0)  # fmt: skip
    body = head + struct.pack("=HH", 4 + len(packed), ATTRIBUTE_DESTINATION) + packed
    return struct.pack("=IHHII", 16 + len(body), RTM_NEWROUTE, REQUEST_CREATE_REPLACE_ACK, 1, 0) + body


def add(netlink: _socket.socket, network: str) -> None:
    netlink.send(request(network))
    answer = netlink.recv(65536)
    kind = struct.unpack_from("=H", answer, 4)[0]
    code = -struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
    if code:
        raise OSError(code, f"{network}: {os.strerror(code)}")


def main() -> int:
    enter(int(sys.argv[1]))
    netlink = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 0)
    for network in sys.argv[2:]:
        add(netlink, network)
    netlink.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
