"""One connection to an upstream: HTTP/1.1, one exchange after the other, flat memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import httptools

from preamp.edge.upstream.deadlines import Deadlines
from preamp.edge.upstream.errors import UpstreamBroken, UpstreamEnded, UpstreamTimeout

HIGH_WATER = 256 * 1024
"""Bytes of an answer that wait for the visitor; the upstream is read on below a quarter of it."""
SMALL = 64 * 1024
"""Bytes of a body that may wait until they are all here."""
MOST_HEAD = 64 * 1024
"""Bytes of an answer's head."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseHead:
    """Status and headers as they came; names in lower case."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    has_length: bool
    """Whether `content-length` tells the length of the body."""


class UpstreamConnection(asyncio.Protocol):
    """Call `begin`, then `write` for a body, `head`, and `read` until it gives nothing."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadlines = deadlines
        self.transport: asyncio.Transport
        self.used = 0
        """Exchanges so far."""
        self.upgraded = False
        """After 101: `rest` holds what came of the other protocol, and the transport is the caller's."""
        self.rest = b""
        self.idle_since = 0.0
        self.on_data: Callable[[bytes], bool] | None = None
        """Sees the first data of an answer before it is parsed; True: it is the whole answer, and known."""
        self.on_news: Callable[[], None] | None = None
        """Called when something came or the connection ended, in the place of waiting."""
        self._lost: Exception | None = None
        self._can_write: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._patience: float | None = None
        """Seconds that the waiter waits without anything happening."""
        self._head_only = False
        self._may_upgrade = False
        self._done = True
        self.answered = False
        """Whether anything of an answer came."""
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._is_used_up = False
        """Whether what follows was changed by an answer."""
        self._fields: list[tuple[bytes, bytes]] = []
        self._head: ResponseHead | None = None
        self._head_size = 0
        self._until_close = False
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._reading_paused = False
        self._error: UpstreamBroken | None = None
        self._keep = True

    # What the caller does

    def begin(self, head: bytes, *, head_only: bool, upgrade: bool) -> None:
        """Send the head of a request. `head_only`: the answer has no body (HEAD). Raises UpstreamBroken."""
        if self._lost is not None:
            raise UpstreamBroken("the connection was closed")
        if self._is_used_up:
            self._reset()
        self._head_only = head_only
        self._may_upgrade = upgrade
        self._done = False
        self.answered = False
        self.used += 1
        self.transport.write(head)

    async def write(self, data: bytes) -> None:
        """A piece of the request's body, as fast as the upstream takes it. Raises UpstreamBroken."""
        if self._can_write is not None:
            await asyncio.shield(self._can_write)
        if self._lost is not None:
            raise UpstreamBroken("the connection was closed while the request was sent")
        self.transport.write(data)
        if self._waiter is not None:
            self._begin_patience()  # it can have no answer yet

    async def head(self, seconds: float | None = None) -> ResponseHead:
        """Of the final answer; interim ones are passed over.

        Raises UpstreamBroken, and UpstreamTimeout when nothing comes in `seconds`.
        """
        while self._head is None:
            self._raise_if_over()
            await self._wait(seconds)
        return self._head

    async def read(self, seconds: float | None = None) -> bytes:
        """All of the body that has come; nothing at its end. Raises as `head` does, also when it was cut."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._done:
                return b""
            self._raise_if_over()
            await self._wait(seconds)
        return self.take()

    def take(self) -> bytes:
        """What has come of the body, without waiting."""
        if not self._pieces:
            return b""
        data = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resume_reading()
        return data

    def settle(self) -> None:
        """Called by `on_data` when it knows what it saw: the answer is over and was taken."""
        self._done = True

    @property
    def head_now(self) -> ResponseHead | None:
        """What `head` would give without waiting."""
        return self._head

    @property
    def is_whole(self) -> bool:
        """Whether the whole answer has come."""
        return self._done and self._error is None and self._head is not None and not self.upgraded

    @property
    def has_failed(self) -> bool:
        return self._error is not None

    @property
    def is_small(self) -> bool:
        """Whether the rest of the answer, as far as is known, is worth waiting for."""
        if self._head is None:
            return True
        length = next((value for name, value in self._head.headers if name == b"content-length"), b"")
        return self._head.has_length and int(length) <= SMALL

    @property
    def is_over(self) -> bool:
        """Whether the whole answer has come and was read."""
        return self._done and not self._pieces

    @property
    def is_reusable(self) -> bool:
        return self.is_over and self._keep and self._lost is None and self._error is None

    def close(self) -> None:
        """At once; whoever waits gets UpstreamBroken."""
        self.transport.abort()

    # What asyncio does

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._done:
            # Nobody asked: an answer to no request must not become the answer to the next one.
            self._fail("it sent data that nobody asked for")
            return
        if not self.answered:
            self.answered = True
            if self.on_data is not None and self.on_data(data):
                return
            self._is_used_up = True
        if self._head is None:
            self._head_size += len(data)
            if self._head_size > MOST_HEAD + HIGH_WATER:
                self._fail("the head of its answer is too long")
                return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.upgraded = True
            self.rest = data[upgrade.args[0] :]
            self._keep = False
            self._done = True
            self.transport.pause_reading()
        except httptools.HttpParserError as error:
            self._fail(f"its answer is not HTTP: {error.__context__ or error}")
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc or ConnectionResetError("closed")
        if self._until_close and exc is None:
            self._done = True
        elif not self._done and self._error is None:
            kind = UpstreamBroken if self.answered else UpstreamEnded
            self._error = kind(f"the connection ended before the answer: {exc or 'closed'}")
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        self._can_write = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._can_write is not None:
            if not self._can_write.done():
                self._can_write.set_result(None)
            self._can_write = None

    # What the parser finds

    def on_message_begin(self) -> None:
        if self._done:
            raise ValueError("another answer follows")  # ends the parsing
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is not None:
            return  # a trailer
        self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not 100 <= status < 600:
            raise ValueError(f"its status is {status}")
        if status < 200 and status != 101:
            return
        if (
            self._head_size > MOST_HEAD  # which counts what came with it, too
            and sum(len(name) + len(value) + 4 for name, value in self._fields) > MOST_HEAD
        ):
            self._fail("the head of its answer is too long")
            return
        if status == 101 and not self._may_upgrade:
            self._fail("it changed the protocol, which nobody asked for")
            return
        coded = [value for name, value in self._fields if name == b"transfer-encoding"]
        lengths = [value for name, value in self._fields if name == b"content-length"]
        chunked = bool(coded) and coded[-1].lower().rstrip().endswith(b"chunked")
        has_length = bool(lengths) and not coded
        bodiless = self._head_only or status in {101, 204, 304}
        self._until_close = not bodiless and not has_length and not chunked
        self._keep = self._parser.should_keep_alive() and not self._until_close
        self._head = ResponseHead(status=status, headers=tuple(self._fields), has_length=has_length)
        if self._head_only:
            # The parser waits for a body that does not come; it is replaced before the next exchange.
            self._done = True

    def on_body(self, body: bytes) -> None:
        if self._head_only:
            self._fail("it sent a body in answer to HEAD")
            return
        self._pieces.append(body)
        self._size += len(body)
        if self._size > HIGH_WATER and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._head is not None:
            self._done = True

    def _raise_if_over(self) -> None:
        if self._error is not None:
            raise self._error
        if self._lost is not None and not self._done:
            raise UpstreamBroken("the connection was closed")

    def _fail(self, reason: str) -> None:
        self._keep = False
        if self._error is None:
            self._error = UpstreamBroken(reason)
        self.transport.abort()

    async def _wait(self, seconds: float | None) -> None:
        waiter = self._waiter = self._loop.create_future()
        self._patience = seconds
        self._begin_patience()
        try:
            await waiter
        finally:
            self._waiter = None
            self._deadlines.remove(self)

    def _begin_patience(self) -> None:
        if self._patience is not None:
            self._deadlines.add(self, self._patience, self._give_up)

    def _give_up(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(UpstreamTimeout(f"nothing came for {self._patience:g} s"))

    def _wake(self) -> None:
        if self.on_news is not None:
            self.on_news()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
