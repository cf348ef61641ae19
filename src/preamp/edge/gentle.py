"""A uvicorn server that stops without cutting anybody off. The control process has it, too."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

ARRIVAL_SECONDS = 0.2
"""How long a request may take to arrive whose connection was taken just before the stop."""


class GentleServer(uvicorn.Server):
    """Leaves signals to the process, which has more to stop than a server. `ready` is called when connections
    are accepted."""

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._ready = ready

    async def serve_until(self, stop: asyncio.Event, sockets: list[socket.socket]) -> None:
        """Serve until `stop` is set, then finish what is under way and close the sockets."""
        stopping = asyncio.create_task(self._stop_after(stop))
        try:
            await self.serve(sockets=sockets)
        finally:
            stopping.cancel()

    async def _stop_after(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self._ready is not None:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and close those that rest only after their first request had time to
        arrive: uvicorn alone resets a connection that it took a moment before."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        await asyncio.sleep(ARRIVAL_SECONDS)
        await super().shutdown(sockets)
