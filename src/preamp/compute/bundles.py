"""Unpacked bundles of servers, by their archive's blob: made once, shared, removed when space is short.

Several processes of a machine use the same folder. Whoever uses a bundle holds a shared lock on its `lock`
file; what nobody holds may be removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from preamp.build.workspace import remove_tree
from preamp.compute.errors import BundleError
from preamp.compute.places import older_than_boot
from preamp.compute.unpack import unpack
from preamp.model.compute import Compute
from preamp.model.errors import DependentServiceFailure
from preamp.store.blobs import BlobStore

_log = logging.getLogger(__name__)


class Bundle:
    """An unpacked bundle that stays until `close`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        """As it was published: `compute/`, `static/` and the manifest."""
        self._lock = lock

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Bundles:
    """The bundles in one folder. `max_bytes` bounds those that nobody uses."""

    def __init__(self, folder: Path, blobs: BlobStore, *, max_bytes: int) -> None:
        self._folder = folder
        self._blobs = blobs
        self._max_bytes = max_bytes

    async def open(self, compute: Compute) -> Bundle:
        """Unpack the bundle unless it is there. Raises BundleError."""
        work = asyncio.ensure_future(asyncio.to_thread(self._open, compute))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close_unwanted)  # the thread goes on
            raise
        except FileNotFoundError as error:
            raise BundleError(f"the packed server is not in the store any more: {error}") from error
        except (OSError, DependentServiceFailure) as error:
            raise BundleError(f"the server cannot be unpacked into {self._folder}: {error}") from error

    def _open(self, compute: Compute) -> Bundle:
        name = compute.archive.blob
        if (bundle := self._lock(name)) is not None:
            return bundle
        fresh = self._folder / f".{os.getpid()}-{secrets.token_hex(4)}"
        (fresh / "files").mkdir(parents=True)
        try:
            fresh.chmod(0o711)
            (fresh / "lock").touch(mode=0o600)
            (fresh / "size").write_text(str(compute.total_bytes))
            with self._blobs.open(name) as archive:
                unpack(
                    archive,
                    fresh / "files",
                    max_bytes=compute.total_bytes,
                    max_files=compute.file_count,
                )
            with contextlib.suppress(OSError):  # another process was faster: its bundle is the same
                fresh.rename(self._folder / name)
        finally:
            remove_tree(fresh)
        bundle = self._lock(name)
        if bundle is None:
            raise BundleError("the unpacked server vanished at once: is compute_cache_bytes far too small?")
        self._make_room()
        return bundle

    def _lock(self, name: str) -> Bundle | None:
        place = self._folder / name
        if older_than_boot(place):
            self._remove(place)  # nothing was synced: a power failure may have cut it short
        try:
            lock = os.open(place / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            same = os.path.samestat(os.fstat(lock), (place / "lock").stat())
        except FileNotFoundError:
            same = False
        if not same:  # it was removed while we waited
            os.close(lock)
            return None
        os.utime(place / "lock")
        return Bundle(place / "files", lock)

    def _make_room(self) -> None:
        """Remove bundles that nobody uses, those unused for longest first, until the rest fits."""
        found = sorted(self._found())
        total = sum(size for _, size, _ in found)
        for _, size, place in found:
            if total <= self._max_bytes:
                return
            if self._remove(place):
                total -= size
                _log.info("removed the unpacked server %s: nobody uses it and space is short", place.name)

    def _found(self) -> Iterator[tuple[float, int, Path]]:
        for place in self._folder.iterdir():
            if not place.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    yield (place / "lock").stat().st_mtime, int((place / "size").read_text() or 0), place

    def _remove(self, place: Path) -> bool:
        gone = self._folder / f".{os.getpid()}-{secrets.token_hex(4)}"
        try:
            with (place / "lock").open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                place.rename(gone)
        except OSError:  # in use, or removed by another process
            return False
        remove_tree(gone)
        return True


def _close_unwanted(work: asyncio.Future[Bundle]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().close()
