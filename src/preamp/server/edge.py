"""An edge process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable

from preamp.background import Background
from preamp.compute.client import ComputeClient
from preamp.compute.messages import CONTROL_SOCKET
from preamp.edge.server import EdgeConfig, serve
from preamp.edge.table import POLL_SECONDS
from preamp.model.errors import DependentServiceFailure
from preamp.settings import Settings
from preamp.store.access_logs import AccessLogs
from preamp.store.folder import DataFolder
from preamp.store.stores import listen_to_changes, open_stores

log = logging.getLogger(__name__)
ACCESS_LOG_SECONDS = 5.0
"""How much later a line of the access log can be read from other machines."""
LAST_SHIPPING_SECONDS = 5.0
"""How long the end of a process waits for that."""
REMOTE_POLL_SECONDS = 1.0
"""Between two looks at a change log that is told about by messages."""


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
    stores = open_stores(settings, read_only=True)
    heard = listen_to_changes(settings)
    config = EdgeConfig(
        database=stores.database,
        blobs=stores.blobs,
        changes=heard or stores.database.bell,
        poll_seconds=REMOTE_POLL_SECONDS if heard else POLL_SECONDS,
        site_domain=settings.site_domain or f"localhost:{edge_port}",
        memory_bytes=settings.edge_memory_bytes,
        drain_seconds=settings.drain_seconds,
        trusted_proxies=settings.trusted_proxies,
        country_header=settings.country_header,
        country_database=settings.country_database,
        access_logs=folder.access,
        run=folder.run,
        proxy_networks=settings.proxy_private_networks,
        proxy_seconds=settings.proxy_timeout_seconds,
        compute=ComputeClient(folder.run / CONTROL_SOCKET),
        compute_seconds=settings.compute_timeout_seconds or None,
        images=folder.optimised,
        image_bytes=settings.image_cache_bytes,
        image_processes=settings.image_processes,
        image_seconds=settings.image_seconds,
        skew_releases=settings.skew_releases,
        idle_app_seconds=settings.edge_idle_app_minutes * 60,
    )
    try:
        async with Background(stop) as background:
            if settings.blobs:
                background.add("shipping access logs", _keep_shipping(stores.access_logs))
            await serve(config, [sock], stop, ready=ready)
    finally:
        if settings.blobs:
            await asyncio.to_thread(ship_last, stores.access_logs)
        if heard is not None:
            heard.close()
        stores.close()


async def _keep_shipping(logs: AccessLogs) -> None:
    """Until cancelled. While it fails, the logs wait on this machine."""
    failing = False
    while True:
        await asyncio.sleep(ACCESS_LOG_SECONDS)
        try:
            await asyncio.to_thread(logs.ship)
            failing = False
        except (DependentServiceFailure, OSError) as error:
            if not failing:
                log.warning("access logs cannot be shipped, they wait on this machine: %s", error)
            failing = True
        except Exception:
            log.exception("shipping access logs failed; it is tried again")


def ship_last(logs: AccessLogs) -> None:
    """If it can be done in time; else the next process on this machine ships the rest. Blocking."""

    def ship() -> None:
        with contextlib.suppress(DependentServiceFailure, OSError):
            logs.ship()

    shipping = threading.Thread(target=ship, daemon=True)
    shipping.start()
    shipping.join(LAST_SHIPPING_SECONDS)
