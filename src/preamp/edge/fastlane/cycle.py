"""One request that the application answers, and the wire format of its answer.

Takes the place of uvicorn's `RequestResponseCycle`: head and first piece of the body leave in one write, an
answer of unknown length to HTTP/1.0 is streamed and ends with the connection, and whoever forwards the
request is told at once when the visitor leaves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from preamp.edge.proxy.forward import BEGUN, Begun
from preamp.edge.proxy.visitor import Leaving
from preamp.edge.upstream.connection import UpstreamConnection

if TYPE_CHECKING:
    from preamp.edge.fastlane.protocol import EdgeProtocol

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
_FAILED = b"500 Internal Server Error\n"


class Cycle:
    """`protocol` calls `feed`, `end_body` and `leave`; the application has `receive` and `send`."""

    __slots__ = (
        "_body",
        "_chunked",
        "_expects_continue",
        "_head",
        "_left",
        "_more_body",
        "_news",
        "_protocol",
        "_scope",
        "_sends_body",
        "_started",
        "_waiter",
        "disconnected",
        "keep_alive",
        "on_leaving",
        "response_complete",
    )

    def __init__(
        self, protocol: EdgeProtocol, scope: Message, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        self._protocol = protocol
        self._scope = scope
        self._expects_continue = expects_continue
        self.keep_alive = keep_alive
        """Whether the connection is used again after this."""
        self.disconnected = False
        """Whether the visitor left, or the answer was cut."""
        self.response_complete = False
        self.on_leaving: Leaving | None = None
        self._body = bytearray()
        self._more_body = True
        self._news = False
        self._waiter: asyncio.Future[None] | None = None
        self._started = False
        self._head: bytes | None = None
        """Of the answer, while it waits for the first piece of the body."""
        self._sends_body = True
        self._chunked = False
        self._left: int | None = None
        """Bytes of the body to come, where its length is known."""

    # What the protocol does

    async def run(self, app: App) -> None:
        try:
            await app(self._scope, self.receive, self.send)
        except BaseException as error:  # the connection is in our hands, whatever happened
            log.error("a request was not answered", exc_info=error)
            if self._started and self._head is None:
                self._protocol.transport.close()
            else:
                self._started = False
                headers = [
                    (b"content-type", b"text/plain; charset=utf-8"),
                    (b"content-length", str(len(_FAILED)).encode()),
                    (b"connection", b"close"),
                ]
                await self.send({"type": "http.response.start", "status": 500, "headers": headers})
                await self.send({"type": "http.response.body", "body": _FAILED})
        else:
            if not self.response_complete and not self.disconnected:
                log.error("the application did not finish an answer")
                self._protocol.transport.close()
        finally:
            begun: Begun | None = self._scope.get(BEGUN)
            if begun is not None:
                begun.discard()

    def feed(self, data: bytes) -> int:
        """A piece of the request's body; how many bytes wait now."""
        self._body += data
        self._tell()
        return len(self._body)

    def end_body(self) -> None:
        """The request is complete."""
        self._more_body = False
        self._tell()

    def leave(self) -> None:
        """The connection is lost."""
        if not self.response_complete:
            self.disconnected = True
            if self.on_leaving is not None:
                self.on_leaving()
        self._tell()

    def _tell(self) -> None:
        self._news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the application does

    async def receive(self) -> Message:
        """As ASGI has it."""
        protocol = self._protocol
        if self._expects_continue and not protocol.transport.is_closing():
            protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._expects_continue = False
        if not self.disconnected and not self.response_complete:
            protocol.flow.resume_reading()
            if not self._news:
                self._waiter = protocol.loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            self._news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self._more_body}

    async def send(self, message: Message) -> None:
        """As ASGI has it. An empty piece of a body makes sure that the head has left."""
        flow = self._protocol.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if self.disconnected:
            return
        if not self._started:
            self.start(message["status"], message["headers"])
        elif self.response_complete:
            raise RuntimeError("the answer was complete already")
        else:
            self.write(message.get("body", b""), more=message.get("more_body", False))

    def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head of the answer; it leaves with the first piece of the body. Raises ValueError."""
        protocol = self._protocol
        self._started = True
        self._expects_continue = False
        self._sends_body = self._scope["method"] != "HEAD" and status not in {204, 304}
        parts = [STATUS_LINE[status], protocol.lane.default_lines(protocol.server_state.default_headers)]
        count = 1 + len(protocol.server_state.default_headers)
        says_close = False
        self._left = None
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
            elif name == b"transfer-encoding":
                continue  # is decided here
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False
                says_close = True
            parts += (name, b": ", value, b"\r\n")
            count += 1
        if not self.keep_alive and not says_close:
            parts.append(b"connection: close\r\n")
            count += 1
        self._chunked = self._left is None and self._sends_body and self._scope["http_version"] == "1.1"
        if self._chunked:
            parts.append(b"transfer-encoding: chunked\r\n")
            count += 1
        parts.append(b"\r\n")
        head = b"".join(parts)
        if head.count(b"\n") != count + 1 or head.count(b"\r") != count + 1 or b"\0" in head:
            self._started = False
            raise ValueError("a header of the answer has a line break")
        self._head = head

    def write(self, body: bytes, *, more: bool) -> None:
        """A piece of the body."""
        protocol = self._protocol
        if not self._sends_body:
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left > 0 and not more):
                raise RuntimeError("the body of an answer is not as long as its content-length")
        if self._head is not None:
            body, self._head = self._head + body if body else self._head, None
        if body:
            protocol.transport.write(body)
        if not more:
            self._complete()

    def send_whole(self, status: int, lines: bytes, body: bytes) -> None:
        """A whole answer to GET with a length; `lines` are its headers, which were sent before by `start`."""
        protocol = self._protocol
        defaults = protocol.lane.default_lines(protocol.server_state.default_headers)
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self._started = True
        protocol.transport.write(b"".join((STATUS_LINE[status], defaults, lines, end, body)))
        self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        if self._waiter is not None:
            self._tell()
        if not self.keep_alive:
            self._protocol.transport.close()
        self._protocol.on_response_complete()

    def hand_over(self) -> None:
        """Let the application answer."""
        self._protocol.let_answer(self)

    # What goes beyond ASGI (`proxy.visitor.VisitorConnection`)

    def cut(self) -> None:
        """Close in the middle of the answer, so that the visitor knows that it is not complete."""
        self.disconnected = True
        self._protocol.transport.abort()

    async def tunnel(self, headers: list[tuple[bytes, bytes]], upstream: UpstreamConnection) -> None:
        """Answer 101 with `headers`, then pass bytes both ways until one side closes."""
        if self._protocol.transport.is_closing():
            return
        self._started = self.response_complete = True
        self.on_leaving = None
        await self._protocol.tunnel(headers, upstream)
