"""The compute host's process. Until somebody wants a server it only listens, and has loaded little."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from preamp.compute.door import Door
from preamp.compute.messages import CONTROL_SOCKET
from preamp.settings import Settings
from preamp.store.folder import DataFolder, FolderError

if TYPE_CHECKING:
    from preamp.compute.host import Host
    from preamp.compute.machinery import Machinery


async def run_compute(settings: Settings, *, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Run servers of releases until `stop` is set, then let them finish.

    Raises FolderError when another host uses the data folder.
    """
    folder = DataFolder(settings.data)
    lock = _only_host(folder)
    opening = _Opening(settings, stop)
    door = Door(opening.host)
    opening.door = door
    try:
        await door.open(folder.run / CONTROL_SOCKET)
        ready()
        opening.expect(folder.compute_known)
        await stop.wait()
        door.stop_giving()
        try:
            await opening.close()
        finally:
            await door.close()
    finally:
        os.close(lock)


class _Opening:
    """Everything that takes time and memory, when it is wanted for the first time."""

    def __init__(self, settings: Settings, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self.door: Door | None = None
        self._opened: asyncio.Task[Machinery] | None = None

    def expect(self, known: Path) -> None:
        """Where servers ran before some will soon be wanted: nobody is to wait for us then."""
        if known.is_dir() and next(known.iterdir(), None) is not None:
            self._begin()

    def _begin(self) -> asyncio.Task[Machinery]:
        self._opened = asyncio.create_task(self._open())
        self._opened.add_done_callback(self._failed)
        return self._opened

    def _failed(self, task: asyncio.Task[Machinery]) -> None:
        if self._opened is task and (task.cancelled() or task.exception()):
            self._opened = None

    async def host(self) -> Host:
        """Raises ComputeError when this machine cannot run servers; then it is tried again the next time."""
        return (await asyncio.shield(self._opened or self._begin())).host

    async def _open(self) -> Machinery:
        from preamp.compute.machinery import open_machinery

        assert self.door is not None
        return await open_machinery(self._settings, self.door, self._stop)

    async def close(self) -> None:
        if self._opened is not None and not self._opened.cancelled():
            await asyncio.wait([self._opened])
            if self._opened.exception() is None:
                await self._opened.result().close()


def _only_host(folder: DataFolder) -> int:
    """A lock that is held as long as this process lives."""
    fd = os.open(folder.run / "compute.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise FolderError(
            f"another compute host uses the data folder {folder.root}: one for each folder is enough"
        ) from None
    return fd
