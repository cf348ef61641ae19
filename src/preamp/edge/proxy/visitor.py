"""The visitor's side of a forwarded request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from preamp.edge.sending import Receive
from preamp.edge.upstream.connection import UpstreamConnection
from preamp.edge.upstream.errors import UpstreamBroken

CONNECTION = "preamp.connection"
"""In the ASGI scope: the `VisitorConnection`."""

Leaving = Callable[[], None]


class VisitorConnection(Protocol):
    """What the server can do beyond ASGI."""

    disconnected: bool
    """Whether the visitor has left."""
    on_leaving: Leaving | None
    """Called once when the visitor leaves before the answer is complete."""

    def tunnel(self, headers: list[tuple[bytes, bytes]], upstream: UpstreamConnection) -> Awaitable[None]:
        """Answer 101 with `headers`, then pass bytes both ways until one side closes."""
        ...

    def cut(self) -> None:
        """Close in the middle of an answer, so that the visitor knows that it is not complete."""
        ...


def connection_of(scope: MutableMapping[str, Any]) -> VisitorConnection:
    connection: VisitorConnection = scope[CONNECTION]
    return connection


class RequestBody:
    """Passes the body of a request on, beside the answer, which may come before it was sent."""

    def __init__(self, receive: Receive, upstream: UpstreamConnection, *, chunked: bool) -> None:
        self._receive = receive
        self._upstream = upstream
        self._chunked = chunked
        self._task = asyncio.create_task(self._pass_all())
        self.is_sent = False

    def leave(self) -> None:
        """Send no more of it."""
        self._task.cancel()

    async def _pass_all(self) -> None:
        try:
            while not self.is_sent:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    return
                await self._pass_on(message.get("body", b""), more=message.get("more_body", False))
        except UpstreamBroken:
            return  # whoever waits for the answer sees it too

    async def _pass_on(self, data: bytes, *, more: bool) -> None:
        if data:
            await self._upstream.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        if not more:
            if self._chunked:
                await self._upstream.write(b"0\r\n\r\n")
            self.is_sent = True
