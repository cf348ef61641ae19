"""Logs in an object store, for many machines.

A worker writes a log into a file of its own machine, as ever. A thread ships what is new, twice a second,
as segments `logs/{branch id}/{job}/{attempt}/{STEP}/{first byte}`; readers anywhere put them together. When
the step has ended, one object `.../{STEP}.txt` takes their place, and the local file goes. A file that a
killed worker left is shipped by the next one on the same machine; until then its segments are the log.

While the store is away, the files wait; a full disk is the only limit.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import obstore

from preamp.model.errors import DependentServiceFailure
from preamp.model.jobs import Attempt, StepName
from preamp.store.logs import LogFile, LogFolder
from preamp.store.objects import ObjectStore, put, wrapped

_log = logging.getLogger(__name__)
SHIP_SECONDS = 0.5
RETRY_SECONDS = 1.0
SEGMENT = 8 * 1024 * 1024
"""Most bytes of a segment."""
WHOLE = ".txt"


@dataclass(slots=True)
class _Stream:
    """A log on its way."""

    path: Path
    key: str
    """Without the end that tells segments from the whole."""
    shipped: int = 0
    segments: list[str] = field(default_factory=list)
    ended: bool = False
    left_over: bool = False
    """By a worker that was killed."""
    done: threading.Event = field(default_factory=threading.Event)


class ShippedLogs:
    """`folder` is this machine's, for logs that were not shipped yet."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._root = folder
        self._folder = LogFolder(folder)
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}
        self._something = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def writer(self, attempt: Attempt, step: StepName) -> _ShippedWriter:
        stream = _Stream(path=self._folder.path(attempt, step), key=_key(attempt, step))
        file = self._folder.writer(attempt, step)
        with self._lock:
            self._streams[stream.key] = stream
            self._start()
        return _ShippedWriter(self, stream, file)

    def ship_leftovers(self) -> int:
        found = sorted(self._root.glob(f"*/*/*/*{WHOLE}"))
        with self._lock:
            for path in found:
                key = f"logs/{path.relative_to(self._root).as_posix().removesuffix(WHOLE)}"
                self._streams[key] = _Stream(path=path, key=key, ended=True, left_over=True)
            if found:
                self._start()
        self._something.set()
        return len(found)

    def ended(self, stream: _Stream) -> None:
        stream.ended = True
        self._something.set()

    def settle(self, attempt: Attempt, *, seconds: float) -> bool:
        prefix = f"{_folder_key(attempt)}/"
        with self._lock:
            waiting = [
                stream for key, stream in self._streams.items() if key.startswith(prefix) and stream.ended
            ]
        deadline = time.monotonic() + seconds
        return all(stream.done.wait(max(0.0, deadline - time.monotonic())) for stream in waiting)

    def close(self, *, seconds: float = 10.0) -> None:
        """Ship what is there, if that can be done in time; the rest is shipped by the next start."""
        with self._lock:
            self._closing = True
            thread = self._thread
        self._something.set()
        if thread is not None:
            thread.join(seconds)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_shipping, name="logs", daemon=True)
            self._thread.start()

    def _keep_shipping(self) -> None:
        failing = False
        while True:
            self._something.wait(SHIP_SECONDS)
            self._something.clear()
            try:
                closing = self._closing
                self._ship_all()
                failing = False
            except (DependentServiceFailure, OSError) as error:
                if not failing:
                    _log.warning("logs cannot be shipped, they wait on this machine: %s", error)
                failing = True
                time.sleep(RETRY_SECONDS)
                continue
            if closing:
                return

    def _ship_all(self) -> None:
        with self._lock:
            streams = list(self._streams.values())
        for stream in streams:
            self._ship(stream)

    def _ship(self, stream: _Stream) -> None:
        if stream.ended:
            self._finish(stream)
            return
        size = stream.path.stat().st_size
        while stream.shipped < size:
            with stream.path.open("rb") as file:
                file.seek(stream.shipped)
                data = file.read(min(SEGMENT, size - stream.shipped))
            key = f"{stream.key}/{stream.shipped:015d}"
            put(self._store, key, data)
            stream.segments.append(key)
            stream.shipped += len(data)

    def _finish(self, stream: _Stream) -> None:
        """The whole in place of its segments: a reader finds one or the other at any moment."""
        put(self._store, stream.key + WHOLE, stream.path)
        with wrapped("a log"):
            # Of leftovers it is not known which segments there are.
            old = [key for key, _ in self._list(stream.key)] if stream.left_over else stream.segments
            if old:
                obstore.delete(self._store, old)
        stream.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other steps' logs are still there
            for folder in list(stream.path.parents)[:3]:
                folder.rmdir()
        with self._lock:
            self._streams.pop(stream.key, None)
        stream.done.set()

    def reader(self, attempt: Attempt, step: StepName) -> _ObjectLog:
        with wrapped("a log"):
            key = _key(attempt, step)
            found = dict(self._list(_folder_key(attempt)))
            if key + WHOLE in found:
                return _ObjectLog(self._store, key + WHOLE, [(key + WHOLE, 0, found[key + WHOLE])])
            parts = [
                (name, int(name.rpartition("/")[2]), size)
                for name, size in sorted(found.items())
                if name.startswith(f"{key}/")
            ]
        if not parts and not self._is_open(key):
            raise FileNotFoundError(key)
        return _ObjectLog(self._store, key + WHOLE, parts)

    def _is_open(self, key: str) -> bool:
        with self._lock:
            return key in self._streams

    def _list(self, prefix: str) -> Iterator[tuple[str, int]]:
        for batch in obstore.list(self._store, prefix):
            for item in batch:
                yield item["path"], item["size"]

    def sizes(self) -> Mapping[tuple[int, int], int]:
        found: Counter[tuple[int, int]] = Counter()
        with wrapped("the list of logs"):
            for key, size in self._list("logs"):
                _, branch_id, number, _ = key.split("/", 3)
                found[int(branch_id), int(number)] += size
        return found

    def delete_job(self, branch_id: int, number: int) -> None:
        self._delete(f"logs/{branch_id}/{number}")
        self._folder.delete_job(branch_id, number)

    def delete_branch(self, branch_id: int) -> None:
        self._delete(f"logs/{branch_id}")
        self._folder.delete_branch(branch_id)

    def _delete(self, prefix: str) -> None:
        with wrapped("logs"):
            keys = [key for key, _ in self._list(prefix)]
            if keys:
                obstore.delete(self._store, keys)


class _ShippedWriter:
    def __init__(self, logs: ShippedLogs, stream: _Stream, file: LogFile) -> None:
        self._logs = logs
        self._stream = stream
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def close(self) -> None:
        self._file.close()
        self._logs.ended(self._stream)


class _ObjectLog:
    """Segments, or the whole; when the segments make way for the whole meanwhile, it is read instead."""

    def __init__(self, store: ObjectStore, whole: str, parts: list[tuple[str, int, int]]) -> None:
        self._store = store
        self._whole = whole
        self._parts = parts

    @property
    def size(self) -> int:
        return self._parts[-1][1] + self._parts[-1][2] if self._parts else 0

    def read(self, start: int, length: int) -> bytes:
        for key, first, size in self._parts:
            if first <= start < first + size:
                end = min(start + length, first + size)
                with wrapped("a log"):
                    try:
                        return self._get(key, start - first, end - first)
                    except FileNotFoundError:
                        return self._get(self._whole, start, end)
        return b""

    def _get(self, key: str, start: int, end: int) -> bytes:
        return bytes(obstore.get_range(self._store, key, start=start, end=end))

    def close(self) -> None:
        return


def _folder_key(attempt: Attempt) -> str:
    return f"logs/{attempt.branch_id}/{attempt.number}/{attempt.attempt}"


def _key(attempt: Attempt, step: StepName) -> str:
    return f"{_folder_key(attempt)}/{step}"
