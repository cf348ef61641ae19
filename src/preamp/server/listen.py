"""Listening sockets, bound before anything is started so that a taken port is said at once."""

from __future__ import annotations

import socket


class ListenError(Exception):
    """The address cannot be listened on; the text says which and what to do."""


def listen_many(address: str, count: int, *, setting: str) -> list[socket.socket]:
    """`count` sockets on one address, one a process; the kernel spreads connections over them.

    Bound once alone first: two programs that both share ports would not notice each other.
    """
    with listen(address, setting=setting) as probe:
        host = address.rpartition(":")[0]
        same = f"{host}:{port_of(probe)}"
    return [listen(same, setting=setting, shared=True) for _ in range(count)]


def listen(address: str, *, setting: str, shared: bool = False) -> socket.socket:
    """A listening TCP socket on `HOST:PORT`; port 0 picks a free one.

    `shared`: others may listen on the same address (SO_REUSEPORT).
    Raises ListenError naming `setting`, the flag to change.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(where)
            sock.listen(2048)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise ListenError(
            f"cannot listen on {address}: {error.strerror}; "
            f"choose another address with --{setting} or PREAMP_{setting.upper()}"
        ) from error
    sock.setblocking(False)
    return sock


def url_of(sock: socket.socket) -> str:
    """`http://127.0.0.1:7732`; a wildcard address is shown as localhost."""
    host, port = sock.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])
