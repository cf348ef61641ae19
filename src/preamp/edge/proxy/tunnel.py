"""Bytes both ways between a visitor and an upstream, once both speak WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

IDLE_SECONDS = 600.0
"""A tunnel in which nothing moves for so long is closed, as CloudFront does."""
LOOKS = 8
"""In that time, at whether something moved."""


class _Side(asyncio.Protocol):
    """Reads one side and writes to the other; a slow reader stops the other side's sending."""

    def __init__(self, tunnel: Tunnel, other: asyncio.Transport, on_lost: Callable[[], None]) -> None:
        self._tunnel = tunnel
        self._other = other
        self._write = other.write
        self._on_lost = on_lost

    def data_received(self, data: bytes) -> None:
        self._tunnel.moved = True
        self._write(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._other.close()  # after what is still to be written
        self._on_lost()
        self._tunnel.side_lost()


class Tunnel:
    """`on_visitor_lost` is called when the visitor's connection has ended."""

    def __init__(
        self,
        visitor: asyncio.Transport,
        upstream: asyncio.Transport,
        *,
        on_visitor_lost: Callable[[], None],
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_seconds = idle_seconds
        self._transports = (visitor, upstream)
        self._sides = 2
        self.moved = True
        """Whether bytes came since the last look."""
        self._quiet_looks = 0
        self._timer = self._loop.call_later(idle_seconds / LOOKS, self._look)
        self.closed: asyncio.Future[None] = self._loop.create_future()
        visitor.set_protocol(_Side(self, upstream, on_visitor_lost))
        upstream.set_protocol(_Side(self, visitor, lambda: None))
        for transport in self._transports:
            transport.resume_reading()

    def side_lost(self) -> None:
        self._sides -= 1
        if self._sides == 0:
            self._timer.cancel()
            if not self.closed.done():
                self.closed.set_result(None)

    def _look(self) -> None:
        # A look now and then is cheaper than the time of each message.
        self._quiet_looks = 0 if self.moved else self._quiet_looks + 1
        self.moved = False
        if self._quiet_looks < LOOKS:
            self._timer = self._loop.call_later(self._idle_seconds / LOOKS, self._look)
            return
        for transport in self._transports:
            transport.close()
