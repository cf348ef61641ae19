"""Numbers of one process for `/_preamp/metrics`: kept in memory, written to the run folder once a second.

Each process has a file of its own, so that nobody waits for anybody; whoever shows the numbers reads the
files of the processes that live, and shows each process as one series.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

_log = logging.getLogger(__name__)
WRITE_SECONDS = 1.0
FOLDER = "metrics"
Labels = tuple[tuple[str, str], ...]


class Sample(msgspec.Struct, frozen=True):
    """A number as Prometheus has it."""

    name: str
    labels: Labels
    value: float


class Counters:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, Labels], float] = {}

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def set(self, name: str, value: float, **labels: str) -> None:
        with self._lock:
            self._values[(name, tuple(sorted(labels.items())))] = value

    def samples(self) -> list[Sample]:
        with self._lock:
            return [Sample(name, labels, value) for (name, labels), value in self._values.items()]


PROCESS = Counters()
"""Of the calling process."""


async def keep_written(run_folder: Path, role: str, *, before: Callable[[], None]) -> None:
    """Until cancelled; `before` is called each time, to set what is not counted but looked at."""
    folder = run_folder / FOLDER
    file = folder / f"{role}-{os.getpid()}.json"
    try:
        while True:
            before()
            try:
                folder.mkdir(exist_ok=True)
                temporary = file.with_suffix(".tmp")
                temporary.write_bytes(msgspec.json.encode(PROCESS.samples()))
                temporary.rename(file)
            except OSError as error:
                _log.warning("the numbers of this process cannot be written: %s", error)
            await asyncio.sleep(WRITE_SECONDS)
    finally:
        file.unlink(missing_ok=True)


def read_all(run_folder: Path) -> Iterator[Sample]:
    """The samples of all processes that live, each with its role and process; files of dead ones go."""
    for file in sorted((run_folder / FOLDER).glob("*-*.json")):
        role, _, pid = file.stem.rpartition("-")
        if not Path(f"/proc/{pid}").exists():
            file.unlink(missing_ok=True)
            continue
        try:
            samples = msgspec.json.decode(file.read_bytes(), type=list[Sample])
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("the numbers in %s cannot be read: %s", file.name, error)
            continue
        for sample in samples:
            yield Sample(sample.name, (("process", pid), ("role", role), *sample.labels), sample.value)
