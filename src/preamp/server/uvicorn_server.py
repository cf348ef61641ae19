"""uvicorn on a socket that the parent bound, stopped by an event instead of by signals of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from preamp.edge.gentle import GentleServer

GRACE_SECONDS = 5


async def serve_app(app: Any, sock: socket.socket, *, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve until `stop`; open requests get `GRACE_SECONDS`."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        loop="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    await GentleServer(config, ready=ready).serve_until(stop, [sock])
