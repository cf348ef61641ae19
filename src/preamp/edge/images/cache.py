"""Small files that can be made again: in a folder with a bound, shared by the processes of a machine.

A file appears by a rename and tells its own length and checksum, so that what a dead machine left half
written is not believed. What was used least recently goes first; that is kept in the files' times, so that
several processes agree without talking.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import time
import zlib
from pathlib import Path

TOUCH_SECONDS = 60.0
"""A file's time of use is this coarse."""
STALE_SECONDS = 3600.0
"""What came in and was never finished is older than this only when its process died."""
_HEAD = struct.Struct("<4sII")
_MARK = b"PIm1"


class FileCache:
    """Names are hexadecimal digests. For use in threads; the bound may be exceeded by a tenth a process."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._incoming = folder / "incoming"
        # Looks at the folder soon after a start: an earlier process may have left it full.
        self._since_look = max_bytes

    def get(self, name: str) -> bytes | None:
        """None when it is not there, or damaged."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                if time.time() - os.fstat(file.fileno()).st_mtime > TOUCH_SECONDS:
                    os.utime(file.fileno())
                head, body = file.read(_HEAD.size), file.read()
        except FileNotFoundError:
            return None
        if head != _head(body):
            path.unlink(missing_ok=True)
            return None
        return body

    def put(self, name: str, body: bytes) -> None:
        """Raises OSError when it cannot be written."""
        target = self._path(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._incoming.mkdir(mode=0o700, exist_ok=True)
        temporary = self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                file.write(_head(body) + body)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        self._since_look += len(body) + _HEAD.size
        if self._since_look > self._max_bytes // 10:
            self._since_look = 0
            self._shrink()

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _shrink(self) -> None:
        files = []
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            for path in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    info = path.stat()
                    files.append((info.st_mtime, info.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        oldest = time.time() - STALE_SECONDS
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)


def _head(body: bytes) -> bytes:
    return _HEAD.pack(_MARK, len(body), zlib.crc32(body))
