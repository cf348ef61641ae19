"""One request to another server and its answer back, piece by piece in both directions."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from preamp.edge.proxy.headers import (
    goes_in_circles,
    has_body,
    is_chunked,
    request_head,
    response_headers,
    wants_websocket,
)
from preamp.edge.proxy.visitor import RequestBody, VisitorConnection, connection_of
from preamp.edge.request import Request
from preamp.edge.sending import Receive, Send
from preamp.edge.upstream.connection import ResponseHead, UpstreamConnection
from preamp.edge.upstream.errors import UpstreamBroken, UpstreamError
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again when a rested connection turns out to be dead (RFC 9110, 9.2.2)."""

log = logging.getLogger(__name__)

Pairs = Sequence[tuple[bytes, bytes]]
HeaderChange = Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be forwarded."""

    request: Request
    origin: Origin
    target: str
    """Path and query of the request line."""
    keep_authorization: bool
    change: HeaderChange
    """Puts the site's custom headers into those of the answer."""
    host: str | None = None
    """What the server is called in `Host`; None: as its origin."""


BEGUN = "preamp.begun"
"""In the ASGI scope: the `Begun` that goes on, if there is one."""


class Begun:
    """An exchange that was begun before the application was asked (`proxy.passage`).

    `leave` tells its server that it is not in use any more.
    """

    def __init__(
        self, origin: Origin, connection: UpstreamConnection, pool: Pool, leave: Callable[[], None]
    ) -> None:
        self._origin = origin
        self._connection: UpstreamConnection | None = connection
        self._pool = pool
        self._leave = leave

    def take(self, origin: Origin) -> UpstreamConnection | None:
        """To go on with it, once, by whoever has entered the server; None when it is not with that server."""
        if self._connection is None or origin != self._origin:
            return None
        connection, self._connection = self._connection, None
        self._leave()
        return connection

    def discard(self) -> None:
        """Nobody went on with it."""
        if self._connection is not None:
            self._pool.release(self._origin, self._connection, reuse=False)
            self._connection = None
            self._leave()


class CircleError(UpstreamError):
    """The request came through here too often."""

    status = 508


class Forwarder:
    """`answer_seconds`: how long an upstream may be silent, before and within its answer; None: for ever."""

    def __init__(self, pool: Pool, *, answer_seconds: float | None) -> None:
        self.pool = pool
        self._answer_seconds = answer_seconds

    async def forward(self, job: Job, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Raises UpstreamError as long as nothing was sent to the visitor; later it cuts the connection."""
        pairs: Pairs = scope["headers"]
        if goes_in_circles(pairs):
            raise CircleError(f"the rules of {job.request.authority} lead in a circle")
        websocket = wants_websocket(job.request) and scope["http_version"] == "1.1"
        head = request_head(
            job.request,
            pairs,
            origin=job.origin,
            target=job.target,
            keep_authorization=job.keep_authorization,
            websocket=websocket,
            host=job.host,
        )
        if websocket:
            await self._upgrade(job, head, scope, send)
        elif not await self._exchange(job, head, scope, receive, send):
            await self._exchange(job, head, scope, receive, send, again=True)

    async def _exchange(
        self,
        job: Job,
        head: bytes,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        *,
        again: bool = False,
    ) -> bool:
        """False: a rested connection was dead, nobody looked at the request, and it may be sent again."""
        pairs: Pairs = scope["headers"]
        method = job.request.method
        begun: Begun | None = None if again else scope.get(BEGUN)
        connection = begun.take(job.origin) if begun else None
        rested = going_on = connection is not None
        if connection is None:
            connection = await self.pool.acquire(job.origin, fresh=again)
            rested = connection.used > 0
        visitor = connection_of(scope)
        _close_when_left(visitor, connection)
        body: RequestBody | None = None
        reuse = False
        try:
            if not going_on:
                connection.begin(head, head_only=method == "HEAD", upgrade=False)
            if has_body(pairs):
                body = RequestBody(receive, connection, chunked=is_chunked(pairs))
            found = await connection.head(self._answer_seconds)
            await self._answer(job, connection, found, scope, send)
            # A request that was answered before it was sent whole leaves the connection in its middle.
            reuse = body is None or body.is_sent
        except UpstreamBroken:
            if visitor.disconnected:
                return True  # that is why it broke
            if rested and not connection.answered and body is None and method in REPEATABLE:
                return False
            raise
        finally:
            visitor.on_leaving = None
            if body is not None:
                body.leave()
            self.pool.release(job.origin, connection, reuse=reuse)
        return True

    async def _upgrade(self, job: Job, head: bytes, scope: MutableMapping[str, Any], send: Send) -> None:
        connection = await self.pool.acquire(job.origin, fresh=True)
        visitor = connection_of(scope)
        _close_when_left(visitor, connection)
        try:
            connection.begin(head, head_only=False, upgrade=True)
            found = await connection.head(self._answer_seconds)
            if found.status != 101:
                await self._answer(job, connection, found, scope, send)
            elif not connection.upgraded:
                raise UpstreamBroken("it answered 101 without naming a protocol")
            else:
                headers = job.change(response_headers(found))
                headers += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
                await visitor.tunnel(headers, connection)
        except UpstreamBroken:
            if not visitor.disconnected:
                raise
        finally:
            visitor.on_leaving = None
            self.pool.release(job.origin, connection, reuse=False)

    async def _answer(
        self,
        job: Job,
        connection: UpstreamConnection,
        found: ResponseHead,
        scope: MutableMapping[str, Any],
        send: Send,
    ) -> None:
        headers = job.change(response_headers(found))
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        try:
            # What came with the head goes with the head; if nothing did, the head goes alone.
            data = connection.take()
            over = connection.is_over
            await send({"type": "http.response.body", "body": data, "more_body": not over})
            while not over:
                data = await connection.read(self._answer_seconds)
                over = connection.is_over
                await send({"type": "http.response.body", "body": data, "more_body": not over})
        except UpstreamError as error:
            visitor = connection_of(scope)
            if not visitor.disconnected:
                log.warning("%s: an answer was cut: %s", job.origin.authority, error)
            visitor.cut()


def _close_when_left(visitor: VisitorConnection, connection: UpstreamConnection) -> None:
    """At once when the visitor did not wait for the connection."""
    visitor.on_leaving = connection.close
    if visitor.disconnected:
        connection.close()
