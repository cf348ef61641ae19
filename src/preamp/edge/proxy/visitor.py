"""The visitor's side of a forwarded request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, MutableMapping
from typing import Any, Protocol

from preamp.edge.sending import Receive
from preamp.edge.upstream.connection import UpstreamConnection
from preamp.edge.upstream.errors import UpstreamBroken

CONNECTION = "preamp.connection"
"""In the ASGI scope: the `VisitorConnection`."""


class VisitorConnection(Protocol):
    """What the server's protocol can do beyond ASGI."""

    def tunnel(self, headers: list[tuple[bytes, bytes]], upstream: UpstreamConnection) -> Awaitable[None]:
        """Answer 101 with `headers`, then pass bytes both ways until one side closes."""
        ...

    def cut(self) -> None:
        """Close in the middle of an answer, so that the visitor knows that it is not complete."""
        ...


def connection_of(scope: MutableMapping[str, Any]) -> VisitorConnection:
    connection: VisitorConnection = scope[CONNECTION]
    return connection


class Visitor:
    """Passes the body of the request on, and ends the exchange when the visitor leaves."""

    def __init__(
        self, receive: Receive, upstream: UpstreamConnection, *, has_body: bool, chunked: bool
    ) -> None:
        self._receive = receive
        self._upstream = upstream
        self._chunked = chunked
        self._task: asyncio.Task[None] | None = None
        self.has_body = has_body
        self.body_sent = not has_body
        self.gone = False

    def watch(self) -> None:
        """Begin; until `leave`."""
        self._task = asyncio.create_task(self._watch())

    def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    break
                if not self.body_sent:
                    await self._pass_on(message.get("body", b""), more=message.get("more_body", False))
        except UpstreamBroken:
            return  # whoever waits for the answer sees it too
        self.gone = True
        if not self._upstream.is_over:
            self._upstream.close()

    async def _pass_on(self, data: bytes, *, more: bool) -> None:
        if data:
            await self._upstream.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        if not more:
            if self._chunked:
                await self._upstream.write(b"0\r\n\r\n")
            self.body_sent = True
