"""Work that goes on beside what a process is there for, as long as the process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class WorkEnded(Exception):
    """Some of it ended by itself."""


class Background:
    """Sets `stop` when some of the work ends by itself.

    A process that went on without it would look alive and, say, take no jobs. As it ends with an error, it is
    started again.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: list[str] = []

    def add(self, what: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin some. It has no end before `stop` is set."""
        task = asyncio.create_task(work, name=what)
        task.add_done_callback(self._look)
        self._tasks.append(task)
        return task

    async def end(self) -> None:
        """Cancel all of it and wait. Raises WorkEnded if some had ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._ended:
            raise WorkEnded(f"ended by itself: {', '.join(self._ended)}")

    async def __aenter__(self) -> Background:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.end()

    def _look(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (task.exception() is None and self._stop.is_set()):
            return
        what, error = task.get_name(), task.exception()
        _log.critical("%s ended by itself: this process stops, to begin anew", what, exc_info=error)
        self._ended.append(what)
        self._stop.set()
