"""Access logs of many machines, in an object store.

Edges write into files of their own machine, as ever. One process of a machine ships what is new, some
seconds later, as parts `access/{app id}/{hour}/{name}/{machine}/{first byte}`; readers put all machines'
parts together. A part grows by being put again until it is large, so that there are few of them. An hour's
files go from the machine when the hour is over and everything of it is shipped.

While the store is away, the files wait.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import obstore

from preamp.store.access_logs import HEADER, Window, between, hour_name, hour_of, hours, is_of
from preamp.store.objects import ObjectStore, put, wrapped

ROOT = "access"
PART = 4 * 1024 * 1024
"""Bytes after which a part stays as it is."""
LATE_SECONDS = 300
"""So long after its end an hour gets no more lines."""
_END = ".csv"


@dataclass(slots=True)
class _Place:
    """How far a file is shipped."""

    first: int
    """Where the growing part begins."""
    end: int
    """Where it ends so far."""


class ShippedAccessLogs:
    """`folder` is where this machine's edges write; `store` has everybody's."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._shipping = threading.Lock()
        self._lock: int | None = None
        self._machine = ""
        self._places: dict[Path, _Place] = {}
        self._cleaned = ""

    def csv(self, app_id: str, domain: str, window: Window) -> Iterator[bytes]:
        yield HEADER
        for hour in hours(window):
            with wrapped("the list of access logs"):
                listed = obstore.list(self._store, f"{ROOT}/{app_id}/{hour}")
                keys = sorted(item["path"] for batch in listed for item in batch)
            for key in keys:
                if is_of(_name(key.split("/")[3]), domain):
                    yield from between(self._lines(key), window)

    def _lines(self, key: str) -> list[bytes]:
        with wrapped("an access log"):
            try:
                return bytes(obstore.get(self._store, key).bytes()).splitlines(keepends=True)
            except FileNotFoundError:  # it became too old
                return []

    def delete_before(self, time_ms: int) -> int:
        oldest = hour_name(datetime.fromtimestamp(time_ms / 1000, tz=UTC))
        if oldest == self._cleaned:
            return 0
        gone = 0
        with wrapped("access logs"):
            for app in obstore.list_with_delimiter(self._store, ROOT)["common_prefixes"]:
                for hour in obstore.list_with_delimiter(self._store, app)["common_prefixes"]:
                    if hour.rpartition("/")[2] < oldest:
                        for batch in obstore.list(self._store, hour):
                            obstore.delete(self._store, [item["path"] for item in batch])
                        gone += 1
        self._cleaned = oldest
        return gone

    def ship(self) -> None:
        with self._shipping:
            if self._lock is not None or self._take_over():
                self._ship_all()

    def _ship_all(self) -> None:
        over = hour_of(time.time() - 3600 - LATE_SECONDS)
        for hour in sorted(self._folder.glob("*/*")):
            for file in sorted(hour.glob(f"*{_END}")):
                self._ship(file)
            if hour.name <= over:
                self._forget(hour)

    def _take_over(self) -> bool:
        """Become the one that ships; False: another process of this machine does."""
        fd = os.open(self._folder / ".machine", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._machine = os.read(fd, 100).decode() or secrets.token_hex(8)
        os.pwrite(fd, self._machine.encode(), 0)
        self._lock = fd
        return True

    def _ship(self, file: Path) -> None:
        key = self._key(file)
        place = self._places.get(file)
        if place is None:
            place = self._places[file] = self._shipped(key)
        if file.stat().st_size == place.end:
            return
        with file.open("rb") as source:
            while True:
                source.seek(place.first)
                data = source.read(PART)
                full = len(data) == PART
                # Whole lines only; what has no line end in all of a part is none.
                data = data[: data.rfind(b"\n") + 1] or (data if full else b"")
                end = place.first + len(data)
                if end > place.end:
                    put(self._store, f"{key}/{place.first:015d}", data)
                place = self._places[file] = _Place(first=end if full else place.first, end=end)
                if not full:
                    return

    def _key(self, file: Path) -> str:
        app_id, hour = file.parts[-3:-1]
        return f"{ROOT}/{app_id}/{hour}/{_part_of_key(file.name.removesuffix(_END))}/{self._machine}"

    def _shipped(self, key: str) -> _Place:
        """By this machine before its process began."""
        with wrapped("the list of access logs"):
            found = [item for batch in obstore.list(self._store, key) for item in batch]
        if not found:
            return _Place(first=0, end=0)
        last = max(found, key=lambda item: item["path"])
        first = int(last["path"].rpartition("/")[2])
        return _Place(first=first, end=first + last["size"])

    def _forget(self, hour: Path) -> None:
        shutil.rmtree(hour)
        for file in [file for file in self._places if file.parent == hour]:
            del self._places[file]

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _part_of_key(name: str) -> str:
    """`*` has no place in a key; no host has an `@`."""
    return name.replace("*", "@")


def _name(part: str) -> str:
    return part.replace("@", "*")
