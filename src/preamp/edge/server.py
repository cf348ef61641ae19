"""Running one edge process: sites served on listening sockets that several processes may share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from preamp.background import Background
from preamp.compute.client import ComputeClient
from preamp.edge.app import EdgeApp
from preamp.edge.compute import Servers
from preamp.edge.countries import Countries
from preamp.edge.fastlane.lane import Lane
from preamp.edge.fastlane.memo import Memo
from preamp.edge.fastlane.protocol import protocol_for
from preamp.edge.gentle import GentleServer
from preamp.edge.images.images import Images
from preamp.edge.networks import NetworkSet
from preamp.edge.optimise import Optimiser
from preamp.edge.proxy.forward import Forwarder
from preamp.edge.reader import SiteReader
from preamp.edge.shortcuts import Shortcuts
from preamp.edge.table import POLL_SECONDS, SiteTable
from preamp.edge.tallies import Tallies
from preamp.edge.upstream.addresses import AddressPolicy
from preamp.edge.upstream.pool import Pool
from preamp.edge.visitors import Trust
from preamp.model.hosting import parse_network
from preamp.store.access_logs import AccessLog
from preamp.store.bell import ChangeSignal
from preamp.store.blobs import BlobStore
from preamp.store.counters import PROCESS, keep_written
from preamp.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeConfig:
    """What an edge process has to know; it only reads."""

    database: Database
    """Opened to read; `serve` closes it. While it is away, or not there yet, sites that are not known are
    answered with 503."""
    blobs: BlobStore
    changes: ChangeSignal | None
    """Tells of changes at once; without it they are found by polling."""
    poll_seconds: float = POLL_SECONDS
    """Between two looks at the change log, in case a signal was lost."""
    site_domain: str
    """What follows `{branch}.{appId}.` in host names; a port in it does not count."""
    memory_bytes: int
    """Bound of the prepared answers."""
    drain_seconds: float = 10.0
    """How long answers under way may go on after `stop`."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose `X-Forwarded-*` headers are believed."""
    country_header: str | None = None
    """Header of a trusted proxy with the visitor's country, for rules with a condition."""
    country_database: Path | None = None
    """MaxMind-format file, for visitors whose country no header tells."""
    access_logs: Path | None = None
    """Folder of the access logs; None: none are written."""
    run: Path | None = None
    """Folder where the numbers for the metrics are written; None: they are not."""
    proxy_networks: tuple[str, ...] = ()
    """Networks that rules may forward to although they are not public."""
    proxy_seconds: float = 30.0
    """How long a server that a rule forwards to may be silent."""
    compute: ComputeClient | None = None
    """Leads to the servers of releases; `serve` closes it. None: their requests are answered with 503."""
    compute_seconds: float | None = None
    """How long a server of a release may be silent; None: for ever."""
    images: Path
    """Folder of changed images, shared by the edge processes of a machine."""
    image_bytes: int = 512 * 1024 * 1024
    """Bound of that folder."""
    image_processes: int = 2
    """Images that are changed at once."""
    image_seconds: float = 10.0
    """For one of them, and for fetching it."""
    skew_releases: int = 5
    """Earlier releases whose assets stay reachable for branches with skew protection."""
    idle_app_seconds: float = 3600.0
    """After so long an app that nobody asked for is dropped from memory."""


def listen(host: str, port: int, *, backlog: int = 2048) -> socket.socket:
    """A listening socket for `serve`, in this or, inherited, in other processes.

    `host` without brackets. Raises OSError when the address is in use or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, so that accepted connections are known to be TCP and send small pieces at once.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
    trust = Trust(_networks(config.trusted_proxies))
    countries = Countries(config.country_database) if config.country_database else None
    database, blobs = config.database, config.blobs
    pool = Pool(AddressPolicy(_networks(config.proxy_networks)))
    # Without the networks that rules may reach: what an image is made from is the visitor's choice.
    inner = Pool(AddressPolicy())
    servers = Servers(config.compute, inner, answer_seconds=config.compute_seconds)
    memo = Memo(config.memory_bytes)
    reader = SiteReader(database, blobs, skew_releases=config.skew_releases)
    table = SiteTable(
        reader,
        on_change=memo.drop,
        bell=config.changes,
        poll_seconds=config.poll_seconds,
        last_used=memo.last_used,
        idle_seconds=config.idle_app_seconds,
    )
    tallies = Tallies()
    access_log = AccessLog(config.access_logs) if config.access_logs else None
    images = Images(
        config.images,
        inner,
        processes=config.image_processes,
        seconds=config.image_seconds,
        max_bytes=config.image_bytes,
    )
    app = EdgeApp(
        table=table,
        blobs=blobs,
        memo=memo,
        forwarder=Forwarder(pool, answer_seconds=config.proxy_seconds),
        servers=servers,
        optimiser=Optimiser(images, servers, blobs),
        site_domain=config.site_domain,
        trust=trust,
        country_header=config.country_header.lower() if config.country_header else None,
        countries=countries,
        access_log=access_log,
        shortcuts=Shortcuts(memo=memo, table=table, access_log=access_log, tallies=tallies),
        tallies=tallies,
    )
    server = GentleServer(
        uvicorn.Config(
            app,
            http=protocol_for(Lane(memo, table.is_stale, trust=trust, access_log=access_log)),
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(config.drain_seconds)),
        ),
        ready=ready,
    )
    try:
        async with Background(stop) as background:
            background.add("following changes", table.follow())
            background.add("forgetting idle apps", table.keep_small())
            if access_log is not None:
                background.add("writing access logs", access_log.keep_flushing())
            if config.run is not None:
                show = partial(tallies.show, PROCESS)
                background.add("counting", keep_written(config.run, "edge", before=show))
            await server.serve_until(stop, sockets)
    finally:
        if access_log is not None:
            access_log.close()
        await images.close()
        if config.compute is not None:
            await config.compute.close()
        pool.close()
        inner.close()
        database.close()
        if countries is not None:
            countries.close()


def _networks(texts: tuple[str, ...]) -> NetworkSet:
    return NetworkSet(map(parse_network, texts))
