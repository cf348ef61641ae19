"""Files that can be made again: in a folder with a bound, shared by the processes of a machine.

A file appears by a rename. The files that were used least recently go first. Which these are is kept in the
files' times, so that several processes agree without talking. Each process counts what it brings in and looks
at the whole folder now and then: the bound may be exceeded by a tenth for each of them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TOUCH_SECONDS = 60.0
"""A file's time of use is this coarse."""
STALE_SECONDS = 24 * 3600
"""What came in and was never finished is older than this only when its process died."""


class BoundedFolder:
    """Names are hexadecimal digests. `max_bytes` bounds the files, not what is coming in or held."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._incoming = folder / "incoming"
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        # Looks at the folder soon after a start: an earlier process may have left it full.
        self._since_look = max_bytes

    def path(self, name: str) -> Path:
        """Where the file is, or would be; it stays there while it is held."""
        return self.folder / name[:2] / name

    def use(self, name: str) -> int:
        """A descriptor, which stays readable when the file is dropped. Raises FileNotFoundError."""
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        if time.time() - os.fstat(descriptor).st_mtime > TOUCH_SECONDS:
            os.utime(descriptor)
        return descriptor

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """Where to write what `keep` is given; it vanishes otherwise."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        path = self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def keep(self, temporary: Path, name: str, size: int) -> None:
        """Put what was written under its name. `size`: bytes."""
        target = self.path(name)
        target.parent.mkdir(exist_ok=True)
        temporary.rename(target)
        with self._lock:
            self._since_look += size
            due = self._since_look > self._max_bytes // 10
            if due:
                self._since_look = 0
        if due:
            self.shrink()

    def hold(self, name: str) -> None:
        """Do not drop this file before `release`."""
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
        files = []
        for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
            for path in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    info = path.stat()
                    files.append((info.st_mtime, info.st_size, path))
        total = sum(size for _, size, _ in files)
        with self._lock:
            held = set(self._held)
        for _, size, path in sorted(files):
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
