"""Copies of blobs on this machine: a folder with a bound, shared by the processes that use it.

A copy appears by a rename, and its name fits its bytes: what was fetched is hashed before it is believed.
The copies that were used least recently go first. Which these are is kept in the files' times, so that
several processes agree without talking. Each process counts what it brings in and looks at the whole folder
now and then: the bound may be exceeded by a tenth for each of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from preamp.store.blobs.base import Blob

_log = logging.getLogger(__name__)
Fetch = Callable[[str], Iterator[bytes]]
TOUCH_SECONDS = 60.0
"""A copy's time of use is this coarse."""
STALE_SECONDS = 24 * 3600
"""What came in and was never finished is older than this only when its process died."""


class DamagedBlobError(OSError):
    """What was fetched is not what its name says."""


class BlobCache:
    """`max_bytes` bounds the copies, not what is coming in or held."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._filling: dict[str, threading.Lock] = {}
        self._held: Counter[str] = Counter()
        # Looks at the folder soon after a start: an earlier process may have left it full.
        self._since_look = max_bytes

    def path(self, name: str) -> Path:
        """Where the copy is, or would be; it stays there while it is held."""
        return self.folder / name[:2] / name

    def open(self, name: str, fetch: Fetch) -> int:
        """A descriptor of the copy, which stays readable when the copy is dropped."""
        while True:
            with contextlib.suppress(FileNotFoundError):
                return self._open(name)
            self._fill(name, fetch)

    def link(self, name: str, target: Path, fetch: Fetch) -> None:
        while True:
            with contextlib.suppress(FileNotFoundError):
                target.hardlink_to(self.path(name))
                return
            if not target.parent.exists():
                raise FileNotFoundError(target.parent)
            self._fill(name, fetch)

    def _open(self, name: str) -> int:
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        now = time.time()
        if now - os.fstat(descriptor).st_mtime > TOUCH_SECONDS:
            os.utime(descriptor)
        return descriptor

    def _fill(self, name: str, fetch: Fetch) -> None:
        with self._lock:
            filling = self._filling.setdefault(name, threading.Lock())
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
            with self._lock:
                self._filling.pop(name, None)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[CacheWriter]:
        """Bytes that become a copy on `finish()` and vanish otherwise."""
        writer = CacheWriter(self, self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}")
        try:
            yield writer
        finally:
            writer.discard()

    def keep(self, temporary: Path, blob: Blob) -> None:
        target = self.path(blob.name)
        target.parent.mkdir(exist_ok=True)
        temporary.chmod(0o444)
        temporary.rename(target)
        with self._lock:
            self._since_look += blob.size
            due = self._since_look > self._max_bytes // 10
            if due:
                self._since_look = 0
        if due:
            self.shrink()

    def hold(self, name: str) -> None:
        """Do not drop this copy before `release`."""
        with self._lock:
            self._held[name] += 1

    def release(self, name: str) -> None:
        with self._lock:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]

    def delete(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def shrink(self) -> None:
        """Drop what was used least recently until the folder is within its bound."""
        copies = []
        for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
            for path in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    info = path.stat()
                    copies.append((info.st_mtime, info.st_size, path))
        total = sum(size for _, size, _ in copies)
        with self._lock:
            held = set(self._held)
        for _, size, path in sorted(copies):
            if total <= self._max_bytes:
                break
            if path.name not in held:
                path.unlink(missing_ok=True)
                total -= size
        oldest = time.time() - STALE_SECONDS
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def free_bytes(self) -> int:
        usage = os.statvfs(self.folder)
        return usage.f_bavail * usage.f_frsize


class CacheWriter:
    """Bytes on their way into the cache."""

    def __init__(self, cache: BlobCache, temporary: Path) -> None:
        self._cache = cache
        self._temporary = temporary
        self._file = temporary.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def name(self) -> str:
        return self._hash.hexdigest()

    def finish(self) -> Blob:
        blob = Blob(name=self.name, size=self.size)
        self._file.close()
        self._cache.keep(self._temporary, blob)
        return blob

    def discard(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)
