from __future__ import annotations

import pytest

from preamp.compute.errors import BackOff
from preamp.compute.failures import Failures


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("preamp.compute.failures.time.monotonic", lambda: now[0])
    return now


def test_longer_each_time(clock: list[float]) -> None:
    it = Failures()
    waits = [it.note("r", "exited", lived_seconds=0) for _ in range(10)]
    assert waits == [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    with pytest.raises(BackOff, match=r"10 times in a row.*60 s.*exited"):
        it.check("r")
    it.check("another")
    clock[0] += 60
    it.check("r")


def test_one_that_lived_begins_anew(clock: list[float]) -> None:
    it = Failures()
    for _ in range(5):
        it.note("r", "exited", lived_seconds=0)
    assert it.note("r", "exited", lived_seconds=3600) == 0
    it.check("r")


def test_forgotten(clock: list[float]) -> None:
    it = Failures()
    for _ in range(5):
        it.note("r", "exited", lived_seconds=0)
    it.forget("r")
    it.check("r")
