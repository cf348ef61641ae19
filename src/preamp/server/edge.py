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
        trusted_proxies=settings.trusted_proxies,
        country_header=settings.country_header,
        country_database=settings.country_database,
        access_logs=folder.access,
        proxy_networks=settings.proxy_private_networks,
        proxy_seconds=settings.proxy_timeout_seconds,
        skew_releases=settings.skew_releases,
        idle_app_seconds=settings.edge_idle_app_minutes * 60,
    )
    await serve(config, [sock], stop, ready=ready)
