"""Copies of blobs on this machine, in a bounded folder. A copy's name fits its bytes: what was fetched is
hashed before it is believed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from preamp.store.blobs.base import Blob
from preamp.store.blobs.hashed import HashedFile
from preamp.store.bounded import BoundedFolder

Fetch = Callable[[str], Iterator[bytes]]


class DamagedBlobError(OSError):
    """What was fetched is not what its name says."""


class BlobCache(BoundedFolder):
    """`fetch` gives the bytes of a blob that has no copy."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        super().__init__(folder, max_bytes=max_bytes)
        self._filling: dict[str, threading.Lock] = {}

    def open(self, name: str, fetch: Fetch) -> int:
        """A descriptor of the copy, which stays readable when the copy is dropped."""
        while True:
            with contextlib.suppress(FileNotFoundError):
                return self.use(name)
            self._fill(name, fetch)

    def link(self, name: str, target: Path, fetch: Fetch) -> None:
        while True:
            with contextlib.suppress(FileNotFoundError):
                target.hardlink_to(self.path(name))
                return
            if not target.parent.exists():
                raise FileNotFoundError(target.parent)
            self._fill(name, fetch)

    def _fill(self, name: str, fetch: Fetch) -> None:
        with self._lock:
            filling = self._filling.setdefault(name, threading.Lock())
        self.hold(name)  # a copy that is larger than the bound would be dropped before it is used
        try:
            with filling:
                if self.path(name).exists():
                    return
                with self.incoming() as writer:
                    for chunk in fetch(name):
                        writer.write(chunk)
                    if writer.name != name:
                        raise DamagedBlobError(f"the blob {name} was damaged where it is stored")
                    writer.finish()
        finally:
            self.release(name)
            with self._lock:
                self._filling.pop(name, None)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[CacheWriter]:
        """Bytes that become a copy on `finish()` and vanish otherwise."""
        with self.temporary() as path, contextlib.closing(CacheWriter(self, path)) as writer:
            yield writer


class CacheWriter(HashedFile):
    """Bytes on their way into the cache."""

    def __init__(self, cache: BlobCache, path: Path) -> None:
        super().__init__(path)
        self._cache = cache

    def finish(self) -> Blob:
        self.close()
        self._path.chmod(0o444)
        self._cache.keep(self._path, self.name, self.size)
        return Blob(name=self.name, size=self.size)
