"""What servers print: one file per release, line by line with the time, of bounded size."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from preamp.build.masking import Masker
from preamp.model.times import iso, now_ms

_log = logging.getLogger(__name__)
MAX_BYTES = 8 * 1024 * 1024
"""Of a file; with the one before it that was put aside, twice so much is kept of a release."""
MAX_LINE = 16 * 1024
TAIL_LINES = 20
TAIL_LINE = 300
KEPT_DAYS = 30
QUIET_SECONDS = 60.0
"""Between two complaints about a disk that takes nothing."""
HEAP_EXHAUSTED = b"JavaScript heap out of memory"
"""What Node prints before it gives up; then the kernel has killed nobody."""
OWN = "# "
"""Begins the host's own lines."""


class Sink(Protocol):
    """Where lines go."""

    def write(self, data: bytes) -> None:
        """Whole lines."""


def log_file(folder: Path, branch_id: int, job: int) -> Path:
    """folder: of all logs of servers."""
    return folder / str(branch_id) / f"{job}.log"


def aside(file: Path) -> Path:
    """Where the lines before those in `file` are."""
    return file.with_suffix(".log.1")


class LogFile:
    """A file that is put aside when it is full. Opened for each write: it may be removed at any time."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._quiet_until = 0.0

    def write(self, data: bytes) -> None:
        """Lines that cannot be written, such as on a full disk, are lost: the server is not to suffer."""
        try:
            self._write(data)
        except OSError as error:
            if time.monotonic() >= self._quiet_until:
                self._quiet_until = time.monotonic() + QUIET_SECONDS
                _log.error("lines of a server are lost: %s: %s", self._path, error.strerror)

    def _write(self, data: bytes) -> None:
        try:
            file = self._path.open("ab")
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("ab")
        with file:
            file.write(data)
            size = file.tell()
        if size > self._max_bytes:
            self._path.replace(aside(self._path))


class ServerLog:
    """The output of one server and what the host says about it."""

    def __init__(self, sink: Sink, *, secrets: Iterable[str] = ()) -> None:
        self._sink = sink
        self._masker = Masker(secrets)
        self._carry = b""
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.heap_exhausted = False

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Of the server."""
        return tuple(self._tail)

    def say(self, text: str) -> None:
        """A line of the host's."""
        self.flush()
        self._write([f"{OWN}{self._masker.text(text)}".encode()])

    def output(self, data: bytes) -> None:
        *lines, self._carry = (self._carry + data).split(b"\n")
        if len(self._carry) > MAX_LINE:
            cut = self._masker.safe_cut(self._carry)
            lines.append(self._carry[:cut])
            self._carry = self._carry[cut:]
        self._take(lines)

    def flush(self) -> None:
        if self._carry:
            line, self._carry = self._carry, b""
            self._take([line])

    def _take(self, lines: list[bytes]) -> None:
        self.heap_exhausted = self.heap_exhausted or any(HEAP_EXHAUSTED in line for line in lines)
        masked = [piece for line in lines for piece in _pieces(self._masker.mask(line).rstrip(b"\r"))]
        for line in masked[-TAIL_LINES:]:
            if line.strip():
                self._tail.append(line[:TAIL_LINE].decode("utf-8", "replace"))
        if masked:
            self._write(masked)

    def _write(self, lines: list[bytes]) -> None:
        stamp = f"{iso(now_ms())} ".encode()
        self._sink.write(b"".join(stamp + line + b"\n" for line in lines))


def _pieces(line: bytes) -> Iterator[bytes]:
    """Long lines on several."""
    for start in range(0, max(len(line), 1), MAX_LINE):
        yield line[start : start + MAX_LINE]


def remove_old(folder: Path) -> None:
    """Logs that nothing was written to for a month. Blocking."""
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for file in _files(folder):
        with contextlib.suppress(FileNotFoundError):  # put aside, just now
            if file.stat().st_mtime < oldest:
                file.unlink()


def _files(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*/*.log")
    yield from folder.glob("*/*.log.1")
