"""Work that several requests wait for at once is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Flights(Generic[K, T]):
    """By name. Who asks first starts the work; it goes on when he leaves, because others may wait."""

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[T]] = {}

    async def join(self, name: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result or the exception of the work under this name."""
        task = self._tasks.get(name)
        if task is None:
            task = asyncio.create_task(work())
            self._tasks[name] = task
            task.add_done_callback(lambda done: self._over(name, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, name: K, task: asyncio.Task[T]) -> None:
        del self._tasks[name]
        if not task.cancelled():
            task.exception()  # looked at even when nobody waits any more
