"""Running one edge process: sites served on listening sockets that several processes may share."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from preamp.edge.app import EdgeApp
from preamp.edge.fastlane.memo import Memo
from preamp.edge.fastlane.protocol import Lane, protocol_for
from preamp.edge.reader import SiteReader
from preamp.edge.table import SiteTable
from preamp.store.blobs import LocalBlobs
from preamp.store.database import open_sqlite


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeConfig:
    """What an edge process has to know; it only reads."""

    database: Path
    """The SQLite file. It need not exist yet: until it does, sites are answered with 503."""
    blobs: Path
    """The blob folder."""
    site_domain: str
    """What follows `{branch}.{appId}.` in host names; a port in it does not count."""
    memory_bytes: int
    """Bound of the prepared answers."""
    drain_seconds: float = 10.0
    """How long answers under way may go on after `stop`."""
    country_header: str | None = None
    """Trusted header with the visitor's country, for rules with a condition."""


def listen(host: str, port: int, *, backlog: int = 2048) -> socket.socket:
    """A listening socket for `serve`, in this or, inherited, in other processes.

    `host` without brackets. Raises OSError when the address is in use or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


async def serve(
    config: EdgeConfig,
    sockets: list[socket.socket],
    stop: asyncio.Event,
    *,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve until `stop` is set, then finish what is under way and close the sockets.

    `ready` is called when connections are accepted. Signals are the caller's business.
    """
    database = open_sqlite(config.database, read_only=True)
    blobs = LocalBlobs(config.blobs)
    memo = Memo(config.memory_bytes)
    table = SiteTable(SiteReader(database, blobs), on_change=memo.drop, bell=database.bell)
    app = EdgeApp(
        table=table,
        blobs=blobs,
        memo=memo,
        site_domain=config.site_domain,
        country_header=config.country_header,
    )
    server = _Server(
        uvicorn.Config(
            app,
            http=protocol_for(Lane(memo, table.is_stale)),
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(config.drain_seconds)),
        ),
        ready,
    )
    tasks = [asyncio.create_task(table.follow()), asyncio.create_task(_stop(server, stop))]
    try:
        await server.serve(sockets=sockets)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        database.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._ready is not None:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process we run in."""
        yield


async def _stop(server: _Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
