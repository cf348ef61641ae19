"""Requests that the server of a release answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, TypeVar

from preamp.compute.client import ComputeClient, ComputeUnavailable
from preamp.edge.images.errors import ImageError
from preamp.edge.images.fetch import Fetcher
from preamp.edge.images.source import Source
from preamp.edge.outcome import Compute, Message
from preamp.edge.proxy.forward import Forwarder, Job
from preamp.edge.proxy.passage import Way
from preamp.edge.render import server_headers
from preamp.edge.request import Request
from preamp.edge.sending import Message as Event
from preamp.edge.sending import Receive, Send
from preamp.edge.site import LoadedSite
from preamp.edge.upstream.errors import (
    UpstreamEnded,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool

_OF_A_BODY = frozenset({b"content-length", b"transfer-encoding", b"expect"})
SOURCE_SECONDS = 30.0
"""How long a server that runs may take for the source of an image."""

DYING_SECONDS = 0.05
"""How long a killed server may take until its socket refuses connections."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class NoSuchPage(Exception):
    """The server answered 404, and something else is to answer instead; nothing was sent yet."""


class Servers:
    """Those of all sites. Without a `client` every request fails with 503."""

    def __init__(self, client: ComputeClient | None, pool: Pool, *, answer_seconds: float | None) -> None:
        """answer_seconds: how long a server may be silent; None: for ever."""
        self._client = client
        self._forwarder = Forwarder(pool, answer_seconds=answer_seconds)
        self._fetcher = Fetcher(pool, seconds=SOURCE_SECONDS)

    async def answer(
        self,
        request: Request,
        site: LoadedSite,
        outcome: Compute,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        """Raises NoSuchPage, ComputeUnavailable or UpstreamError while nothing was sent to the visitor."""
        if outcome.second is not None:
            send = _unless_missing(send)
        if not outcome.keep_body:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in _OF_A_BODY]}

        async def forward(socket_path: str) -> None:
            job = _job(request, site, outcome, socket_path)
            await self._forwarder.forward(job, scope, receive, send)

        await self._reach(site, forward, again=request.method in {"GET", "HEAD"} and not _has_body(scope))

    def way(self, request: Request, site: LoadedSite, outcome: Compute) -> Way:
        """For requests like this one, while the server is known and runs."""
        client, release = self._client, site.site.release_id
        assert client is not None, "only asked for after an answer"
        assert release is not None, "only asked for after an answer"

        def enter() -> tuple[Origin, Callable[[], None]] | None:
            held = client.hold(release)
            return (_origin(str(held[0])), held[1]) if held is not None else None

        return Way(
            job=_job(request, site, outcome, ""),
            pool=self._forwarder.pool,
            enter=enter,
            passes=lambda status: status != 404 or outcome.second is None,
        )

    async def source(self, request: Request, site: LoadedSite, target: str) -> Source:
        """What a GET of `target` gives, for image optimisation. Raises ImageError."""

        async def fetch(socket_path: str) -> Source:
            origin = Origin(scheme="http", host=request.authority, port=80, socket_path=socket_path)
            try:
                return await self._fetcher.fetch(target, lambda hop: (origin, _path(hop)))
            except ImageError as error:
                if isinstance(error.__cause__, UpstreamUnreachable | UpstreamEnded):
                    raise error.__cause__ from error
                raise

        try:
            return await self._reach(site, fetch, again=True)
        except ComputeUnavailable as error:
            raise ImageError(error.status, error.reason_for_visitor) from error
        except UpstreamError as error:
            raise ImageError(error.status, "the server of this site cannot be reached") from error

    async def _reach(self, site: LoadedSite, work: Callable[[str], Awaitable[T]], *, again: bool) -> T:
        """Do it with the server's socket; where nobody listens any more, with that of its successor.

        `again`: it may be done once more when the server ended before it answered, as browsers do, too. One
        that dies takes some milliseconds in which connections are neither refused nor answered.
        """
        release = site.site.release_id
        assert release is not None, "a site without a release has no routes"
        if self._client is None:
            raise ComputeUnavailable(
                503, "this edge process runs without a compute host", for_visitor="This edge runs no servers."
            )
        refused = False
        while True:
            async with self._client.use(release) as path:
                try:
                    return await work(str(path))
                except UpstreamUnreachable as error:
                    if refused:
                        raise
                    refused = True
                    log.info("the server of release %s is gone: %s", release, error)
                except UpstreamEnded as error:
                    if not again:
                        raise
                    again = False
                    log.info("the server of release %s is asked again: %s", release, error)
                    await asyncio.sleep(DYING_SECONDS)
                self._client.broken(release, path)


@lru_cache(maxsize=1024)
def _origin(socket_path: str) -> Origin:
    return Origin(scheme="http", host="localhost", port=80, socket_path=socket_path)


def _job(request: Request, site: LoadedSite, outcome: Compute, socket_path: str) -> Job:
    return Job(
        request=request,
        origin=_origin(socket_path),
        target=outcome.url,
        host=request.authority,
        keep_authorization=site.credentials is None,
        change=server_headers(request, site),
    )


def failure(error: ComputeUnavailable | UpstreamError) -> Message:
    """What the visitor is told: nothing of the application, nothing of this machine."""
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    match error:
        case ComputeUnavailable():
            name = "503 Service Unavailable" if error.status == 503 else "502 Bad Gateway"
            text = f"{name}: {error.reason_for_visitor}\n"
        case UpstreamTimeout():
            text = "504 Gateway Timeout: the server of this site did not answer in time.\n"
        case _ if error.status == 503:
            text = "503 Service Unavailable: too many requests to servers are under way.\n"
        case _ if error.status == 508:
            text = "508 Loop Detected: the server of this site asks itself.\n"
        case _:
            text = "502 Bad Gateway: the server of this site gave no usable answer.\n"
    return Message(status=error.status, text=text, headers=headers)


def _unless_missing(send: Send) -> Send:
    async def sending(event: Event) -> None:
        if event["type"] == "http.response.start" and event["status"] == 404:
            raise NoSuchPage
        await send(event)

    return sending


def _has_body(scope: MutableMapping[str, Any]) -> bool:
    return any(name in _OF_A_BODY for name, _ in scope["headers"])


def _path(url: str) -> str:
    """Raises ImageError for a redirect to elsewhere."""
    if not url.startswith("/"):
        raise ImageError(502, "the source is not on this site: it redirects to another one")
    return url
