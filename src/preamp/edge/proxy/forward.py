"""One request to another server and its answer back, piece by piece in both directions."""

from __future__ import annotations

import asyncio
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
from preamp.edge.proxy.visitor import Visitor, connection_of
from preamp.edge.request import Request
from preamp.edge.sending import Receive, Send
from preamp.edge.upstream.connection import ResponseHead, UpstreamConnection
from preamp.edge.upstream.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that may be sent again when a rested connection turns out to be dead (RFC 9110, 9.2.2)."""
MOST_BUFFERED = 8 * 1024 * 1024
"""Bytes of an answer of unknown length that a visitor with HTTP/1.0, who knows no chunks, may get."""

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


class CircleError(UpstreamError):
    """The request came through here too often."""

    status = 508


class Forwarder:
    """`answer_seconds`: how long an upstream may be silent, before and within its answer; None: for ever."""

    def __init__(self, pool: Pool, *, answer_seconds: float | None) -> None:
        self._pool = pool
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
        connection = await self._pool.acquire(job.origin, fresh=again)
        rested = connection.used > 0
        visitor = Visitor(receive, connection, has_body=has_body(pairs), chunked=is_chunked(pairs))
        reuse = False
        try:
            try:
                connection.begin(head, head_only=method == "HEAD", upgrade=False)
                visitor.watch()
                found = await self._head(job, connection)
            except UpstreamBroken:
                untouched = rested and not connection.answered and not visitor.gone
                if untouched and not visitor.has_body and method in REPEATABLE:
                    return False
                raise
            await self._answer(job, connection, found, scope, send)
            # A request that was answered before it was sent whole leaves the connection in its middle.
            reuse = visitor.body_sent
        finally:
            visitor.leave()
            self._pool.release(job.origin, connection, reuse=reuse)
        return True

    async def _upgrade(self, job: Job, head: bytes, scope: MutableMapping[str, Any], send: Send) -> None:
        connection = await self._pool.acquire(job.origin, fresh=True)
        try:
            connection.begin(head, head_only=False, upgrade=True)
            found = await self._head(job, connection)
            if found.status != 101:
                await self._answer(job, connection, found, scope, send)
            elif not connection.upgraded:
                raise UpstreamBroken("it answered 101 without naming a protocol")
            else:
                headers = job.change(response_headers(found))
                headers += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
                await connection_of(scope).tunnel(headers, connection)
        finally:
            self._pool.release(job.origin, connection, reuse=False)

    async def _head(self, job: Job, connection: UpstreamConnection) -> ResponseHead:
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await connection.head()
        except TimeoutError as error:
            raise UpstreamTimeout(
                f"{job.origin.authority} did not answer in {self._answer_seconds:g} s"
            ) from error

    async def _read(self, connection: UpstreamConnection) -> bytes:
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await connection.read()
        except TimeoutError as error:
            raise UpstreamTimeout(f"its answer stopped for {self._answer_seconds:g} s") from error

    async def _answer(
        self,
        job: Job,
        connection: UpstreamConnection,
        found: ResponseHead,
        scope: MutableMapping[str, Any],
        send: Send,
    ) -> None:
        headers = job.change(response_headers(found))
        bodiless = job.request.method == "HEAD" or found.status in {204, 304}
        body = b""
        if scope["http_version"] == "1.0" and not found.has_length and not bodiless:
            body = await self._whole(connection)
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        if connection.is_over:
            await send({"type": "http.response.body", "body": body})
            return
        try:
            over = False
            while not over:
                data = await self._read(connection)
                over = connection.is_over
                await send({"type": "http.response.body", "body": data, "more_body": not over})
        except UpstreamError as error:
            log.warning("%s: an answer was cut: %s", job.origin.authority, error)
            connection_of(scope).cut()

    async def _whole(self, connection: UpstreamConnection) -> bytes:
        body = bytearray()
        while data := await self._read(connection):
            body += data
            if len(body) > MOST_BUFFERED:
                raise UpstreamBroken("its answer is of unknown length and too long for HTTP/1.0")
        return bytes(body)
