"""Entry of a child process: `python -m preamp.server.child ROLE`, its orders on standard input."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable

import uvloop

from preamp.server.logs import configure_logs
from preamp.server.roles import Orders, Role
from preamp.server.run import run_role

PR_SET_PDEATHSIG = 1


def main() -> int:
    role = Role(sys.argv[1])
    orders = Orders.decode(sys.stdin.buffer.read())
    _die_with(orders.parent_pid)
    settings = orders.read_settings()
    configure_logs(settings.log_level, role=role, form=settings.log_format)
    sock = socket.socket(fileno=orders.listen_fd) if orders.listen_fd is not None else None
    # A terminal's Ctrl-C goes to the whole group; the parent tells the children when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def ready() -> None:
        if orders.ready_fd is not None:
            os.write(orders.ready_fd, b"1")
            os.close(orders.ready_fd)

    uvloop.run(_run(role, orders, sock, ready))
    return 0


async def _run(role: Role, orders: Orders, sock: socket.socket | None, ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_role(role, orders.read_settings(), sock, edge_port=orders.edge_port, ready=ready, stop=stop)


def _die_with(parent_pid: int) -> None:
    """A killed parent takes its children along: nothing may hold the data folder afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it died before the kernel was asked
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
