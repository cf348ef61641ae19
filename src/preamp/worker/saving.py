"""Write what comes over the network into a job's folder: bounded, and stopped when the job is."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from preamp.release.errors import ReleaseError

_CHUNK = 1 << 18


class SourceError(ReleaseError):
    """The source cannot be fetched; the text says which and why."""


class Abandoned(Exception):
    """The job was cut; nothing may be made in its folder any more."""


@dataclass(slots=True)
class Guard:
    """Lets a job's folder be removed while a thread still waits for the network."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def close(self) -> None:
        """From now on `making` raises."""
        with self._lock:
            self._closed = True

    def check(self) -> None:
        """Raises Abandoned."""
        if self._closed:
            raise Abandoned

    @contextmanager
    def making(self) -> Iterator[None]:
        """Make files or folders only inside. Raises Abandoned."""
        with self._lock:
            self.check()
            yield


class Reader(Protocol):
    """A body that is read in pieces: `http.client`'s and botocore's."""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes, none at the end. May raise OSError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """How much may be written where."""

    max_bytes: int
    setting: str
    """What `max_bytes` is called."""
    min_free_bytes: int


def save(body: Reader, target: Path, *, shown: str, length: int | None, room: Room, guard: Guard) -> int:
    """Write a body to a new file; how many bytes it had. `length`: what was announced.

    Raises SourceError for more than there is room for, or less than was announced.
    """
    if length is not None:
        _check_size(length, shown, room)
        _check_free(target, length, room)
    size = 0
    with guard.making():
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    with file:
        while data := body.read(_CHUNK):
            guard.check()
            size += len(data)
            _check_size(size, shown, room)
            file.write(data)
    if length is not None and size != length:
        raise SourceError(f"{shown}: the connection ended after {size} of {length} bytes.")
    return size


def _check_size(size: int, shown: str, room: Room) -> None:
    if size > room.max_bytes:
        raise SourceError(f"{shown} has more than {room.max_bytes} bytes (the setting {room.setting}).")


def _check_free(target: Path, size: int, room: Room) -> None:
    folder = next(parent for parent in target.parents if parent.exists())
    if shutil.disk_usage(folder).free - size < room.min_free_bytes:
        raise OSError(errno.ENOSPC, "the source does not fit on the disk")
