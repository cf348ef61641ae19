"""Run one role in this process. Each role's rooms are imported only where they run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from preamp.server.roles import Role
from preamp.settings import Settings


async def run_role(
    role: Role,
    settings: Settings,
    sock: socket.socket | None,
    *,
    edge_port: int,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Call `ready` when it serves; return when `stop` is set and work under way has ended."""
    match role:
        case Role.CONTROL:
            from preamp.server.control import run_control

            assert sock is not None
            await run_control(settings, sock, edge_port=edge_port, ready=ready, stop=stop)
        case Role.WORKER:
            from preamp.worker.main import run_worker

            await run_worker(settings, ready=ready, stop=stop)
        case Role.EDGE:
            from preamp.server.edge import run_edge

            assert sock is not None
            await run_edge(settings, sock, edge_port=edge_port, ready=ready, stop=stop)
        case Role.COMPUTE:
            from preamp.compute.main import run_compute

            await run_compute(settings, ready=ready, stop=stop)
