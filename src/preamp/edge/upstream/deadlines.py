"""Many waits with one timer: setting and cancelling one for each would cost more than a small answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICK_SECONDS = 0.1


class Deadlines:
    """Of one event loop. A call comes up to two ticks late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: dict[object, tuple[float, Callable[[], None]]] = {}
        self._ticking: asyncio.TimerHandle | None = None

    def add(self, owner: object, seconds: float, call: Callable[[], None]) -> None:
        """Call after `seconds`, unless `owner` is removed before."""
        self._calls[owner] = (self._loop.time() + seconds, call)
        if self._ticking is None:
            self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)

    def remove(self, owner: object) -> None:
        """No call for `owner` any more."""
        self._calls.pop(owner, None)

    def close(self) -> None:
        self._calls.clear()
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _tick(self) -> None:
        now = self._loop.time()
        for owner, (when, call) in list(self._calls.items()):
            # A call may have removed others that were due with it.
            if when <= now and self._calls.pop(owner, None) is not None:
                call()
        self._ticking = self._loop.call_later(TICK_SECONDS, self._tick) if self._calls else None
