"""An edge process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from preamp.edge.server import EdgeConfig, serve
from preamp.settings import Settings
from preamp.store.folder import DataFolder


async def run_edge(
    settings: Settings,
    sock: socket.socket,
    *,
    edge_port: int,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve sites on `sock` until `stop` is set."""
    folder = DataFolder(settings.data)
    config = EdgeConfig(
        database=folder.database,
        blobs=folder.blobs,
        site_domain=settings.site_domain or f"localhost:{edge_port}",
        memory_bytes=settings.edge_memory_bytes,
        drain_seconds=settings.drain_seconds,
    )
    await serve(config, [sock], stop, ready=ready)
