"""Access logs of many machines, over an object store in memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from preamp.store import shipped_access_logs
from preamp.store.access_logs import HEADER, AccessLog, Window
from preamp.store.shipped_access_logs import ShippedAccessLogs

NOW = time.time()
HOUR = 3600


class Machine:
    """A machine with edges; `logs` is one of its processes."""

    def __init__(self, store: Any, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.store = store
        self.folder = folder
        self.logs = ShippedAccessLogs(store, folder)

    def visit(self, path: str, *, name: str = "www.example.com", at: float = NOW) -> None:
        log = AccessLog(self.folder)
        log.add(
            "d1",
            name,
            host=name,
            method="GET",
            path=path,
            status=200,
            result="Hit",
            sent=1,
            client="::1",
            at=at,
        )
        log.close()

    def restart(self) -> None:
        self.logs.close()
        self.logs = ShippedAccessLogs(self.store, self.folder)

    def seen(self, domain: str = "example.com", *, hours: int = 1) -> list[str]:
        window = Window(first_s=int(NOW) - hours * HOUR, last_s=int(NOW) + 5)
        text = b"".join(self.logs.csv("d1", domain, window))
        assert text.startswith(HEADER)
        return [line.split(",")[7] for line in text[len(HEADER) :].decode().splitlines()]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def machines(store: MemoryStore, tmp_path: Path) -> tuple[Machine, Machine]:
    return Machine(store, tmp_path / "a"), Machine(store, tmp_path / "b")


def keys(store: Any) -> list[str]:
    return [item["path"] for batch in obstore.list(store) for item in batch]


def test_lines_of_all_machines_are_read_from_each(store: Any, machines: tuple[Machine, Machine]) -> None:
    one, other = machines
    one.visit("/1")
    other.visit("/2")
    other.visit("/3", name="*.example.com")
    other.visit("/4", name="example.org")
    assert one.seen() == []
    one.logs.ship()
    other.logs.ship()
    assert sorted(one.seen()) == sorted(other.seen()) == ["/1", "/2", "/3"]
    assert one.seen("*.example.com") == ["/3"]
    other.visit("/5")
    other.logs.ship()
    other.logs.ship()
    assert sorted(one.seen()) == ["/1", "/2", "/3", "/5"]
    assert len(keys(store)) == 4


def test_a_part_that_is_large_enough_stays_as_it_is(
    store: Any, machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines
    monkeypatch.setattr(shipped_access_logs, "PART", 1000)
    for number in range(30):
        one.visit(f"/{number}")
        if number % 4 == 0:
            one.logs.ship()
        if number == 17:
            one.restart()
    one.logs.ship()
    assert other.seen() == [f"/{number}" for number in range(30)]
    assert 3 < len(keys(store)) < 10


def test_nothing_is_shipped_twice_after_a_restart(store: Any, machines: tuple[Machine, Machine]) -> None:
    one, other = machines
    one.visit("/1")
    one.logs.ship()
    one.visit("/2")
    one.restart()
    one.logs.ship()
    one.visit("/3")
    one.logs.ship()
    assert other.seen() == ["/1", "/2", "/3"]


def test_the_store_is_asked_once_after_a_restart_what_it_has(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = machines
    one.visit("/1")
    one.logs.ship()
    one.restart()
    asked: list[str] = []
    listing = obstore.list

    def watched(store: Any, prefix: str) -> Any:
        asked.append(prefix)
        return listing(store, prefix)

    monkeypatch.setattr(obstore, "list", watched)
    for _ in range(3):
        one.logs.ship()
    assert len(asked) == 1


def test_one_process_of_a_machine_ships_and_another_takes_over(
    store: Any, machines: tuple[Machine, Machine]
) -> None:
    one, other = machines
    second = ShippedAccessLogs(store, one.folder)
    one.visit("/1")
    one.logs.ship()
    one.visit("/2")
    second.ship()
    assert other.seen() == ["/1"]
    one.logs.close()
    second.ship()
    assert other.seen() == ["/1", "/2"]
    second.close()


def test_hours_that_are_over_go_from_the_machine_and_old_ones_altogether(
    store: Any, machines: tuple[Machine, Machine]
) -> None:
    one, other = machines
    one.visit("/old", at=NOW - 3 * HOUR)
    one.visit("/now")
    one.logs.ship()
    assert len(list(one.folder.glob("*/*/*.csv"))) == 1
    assert other.seen(hours=4) == ["/old", "/now"]
    assert other.logs.delete_before(int((NOW - HOUR) * 1000)) == 1
    assert other.logs.delete_before(int((NOW - HOUR) * 1000)) == 0
    assert other.seen(hours=4) == ["/now"]
