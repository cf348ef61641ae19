"""Connections to upstreams, kept for a moment after an exchange for the next one."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque

from preamp.edge.upstream.addresses import AddressPolicy
from preamp.edge.upstream.connection import UpstreamConnection
from preamp.edge.upstream.deadlines import Deadlines
from preamp.edge.upstream.errors import UpstreamBusy, UpstreamTimeout, UpstreamUnreachable
from preamp.edge.upstream.origin import Origin

IDLE_SECONDS = 4.0
"""How long a connection rests in the pool: less than the 5 s after which Node closes it."""
MOST_IDLE = 64
"""Resting connections to one origin."""
MOST_OPEN = 4096
CONNECT_SECONDS = 5.0
FULL_SECONDS = 0.005
"""Until a unix socket with a full queue is asked again."""


class Pool:
    """The connections of one edge process."""

    def __init__(self, policy: AddressPolicy, *, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._policy = policy
        self._connect_seconds = connect_seconds
        self._idle: dict[Origin, deque[UpstreamConnection]] = {}
        self._open = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._deadlines: Deadlines | None = None

    @property
    def deadlines(self) -> Deadlines:
        """For what waits for an upstream."""
        if self._deadlines is None:
            self._deadlines = Deadlines()
        return self._deadlines

    def _connection(self) -> UpstreamConnection:
        return UpstreamConnection(self.deadlines)

    async def acquire(self, origin: Origin, *, fresh: bool = False) -> UpstreamConnection:
        """A rested connection, or a new one (always when `fresh`). Give it back with `release`.

        Raises UpstreamError.
        """
        connection = None if fresh else self.take(origin)
        if connection is not None:
            return connection
        if self._open >= MOST_OPEN:
            raise UpstreamBusy(f"{self._open} connections to other servers are open already")
        self._open += 1
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._connect(origin)
        except TimeoutError as error:
            self._open -= 1
            raise UpstreamTimeout(
                f"{origin.authority} did not accept a connection in {self._connect_seconds:g} s"
            ) from error
        except BaseException:
            self._open -= 1
            raise

    def take(self, origin: Origin) -> UpstreamConnection | None:
        """A rested connection, if there is one. Give it back with `release`."""
        while rested := self._idle.get(origin):
            connection = rested.pop()
            if connection.is_reusable and not connection.transport.is_closing():
                return connection
            self._discard(connection)
        return None

    def release(self, origin: Origin, connection: UpstreamConnection, *, reuse: bool = True) -> None:
        """Keep a connection whose exchange is over, close any other."""
        rested = self._idle.get(origin)
        if not reuse or not connection.is_reusable or (rested is not None and len(rested) >= MOST_IDLE):
            self._discard(connection)
            if rested is not None and not rested:
                del self._idle[origin]
            return
        if rested is None:
            rested = self._idle[origin] = deque()
        connection.idle_since = time.monotonic()
        rested.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._sweep)

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._deadlines is not None:
            self._deadlines.close()
        for rested in self._idle.values():
            for connection in rested:
                self._discard(connection)
        self._idle.clear()

    def _discard(self, connection: UpstreamConnection) -> None:
        connection.close()
        self._open -= 1

    def _sweep(self) -> None:
        oldest = time.monotonic() - IDLE_SECONDS
        for origin, rested in list(self._idle.items()):
            while rested and (rested[0].idle_since < oldest or not rested[0].is_reusable):
                self._discard(rested.popleft())
            if not rested:
                del self._idle[origin]
        self._sweeper = None
        if self._idle:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._sweep)

    async def _connect(self, origin: Origin) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        if origin.socket_path is not None:
            while True:
                try:
                    _, connection = await loop.create_unix_connection(self._connection, origin.socket_path)
                except BlockingIOError:
                    # A unix socket whose queue is full says so instead of letting us wait in it.
                    await asyncio.sleep(FULL_SECONDS)
                except OSError as error:
                    raise UpstreamUnreachable(f"{origin.socket_path}: {error}") from error
                else:
                    # Else uvloop writes at the end of its turn, and the server waits meanwhile: 5 % less
                    # requests. Over TCP it was the other way round.
                    connection.transport.set_write_buffer_limits(high=0)
                    return connection
        reason: Exception | None = None
        for family, address in await self._policy.resolve(origin):
            try:
                _, connection = await loop.create_connection(
                    self._connection,
                    address,
                    origin.port,
                    family=family,
                    ssl=self._context() if origin.scheme == "https" else None,
                    # The certificate is checked for the name of the rule, not for the address.
                    server_hostname=origin.host.strip("[]") if origin.scheme == "https" else None,
                )
            except (OSError, ssl.SSLError) as error:
                reason = error
            else:
                return connection
        raise UpstreamUnreachable(f"{origin.authority} cannot be reached: {reason}") from reason

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
