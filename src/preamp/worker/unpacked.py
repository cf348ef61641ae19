"""Unpack what builds cached, after their jobs: the next build of the branch finds it ready."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from preamp.build import mounts
from preamp.build.request import Folders
from preamp.build.sandbox import Sandbox
from preamp.build.snapshots import bound_snapshots, content_of, make_snapshot

MIN_ARCHIVE_BYTES = 2_000_000
"""Smaller ones are unpacked for each build as fast."""
_log = logging.getLogger(__name__)


class CacheUnpacker:
    """One at a time, and with the lowest priority."""

    def __init__(self, *, sandbox: Sandbox, folders: Folders, max_bytes: int) -> None:
        self._sandbox = sandbox
        self._folders = folders
        self._max_bytes = max_bytes
        self._waiting: dict[Path, None] = {}
        self._hopeless: dict[Path, str | None] = {}
        """What could not be unpacked, and what the archive held then."""
        self._something = asyncio.Event()

    def ask(self, archive: Path) -> None:
        """Unpack an archive some time, if that is worth it and was not done."""
        if not self._max_bytes or mounts.refusal() is not None:
            return
        if not archive.exists() or archive.stat().st_size < MIN_ARCHIVE_BYTES:
            return
        if archive in self._hopeless and self._hopeless[archive] == content_of(archive):
            return
        self._waiting[archive] = None
        self._something.set()

    async def keep_unpacking(self) -> None:
        """Until cancelled. Must run in the main thread."""
        await asyncio.to_thread(bound_snapshots, self._folders.caches, self._max_bytes)
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                archive = next(iter(self._waiting))
                del self._waiting[archive]
                try:
                    size = await make_snapshot(
                        archive, sandbox=self._sandbox, folders=self._folders, max_bytes=self._max_bytes
                    )
                except Exception:  # noqa: BLE001 (the archive alone is enough for the next build)
                    self._hopeless[archive] = content_of(archive)
                    _log.warning("the cache %s could not be unpacked", archive, exc_info=True)
                else:
                    if size is not None:
                        _log.info("unpacked the cache %s (%s bytes)", archive, size)
