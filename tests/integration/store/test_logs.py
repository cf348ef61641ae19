"""What every store of logs must do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from preamp.model.jobs import Attempt, StepName
from preamp.settings import Settings
from preamp.store.logs import LogStore
from preamp.store.stores import Stores, open_stores

ATTEMPT = Attempt(branch_id=7, number=3, attempt=1)


def text_of(logs: LogStore, step: StepName = StepName.BUILD, start: int = 0) -> bytes:
    reader = logs.reader(ATTEMPT, step)
    try:
        found = b""
        while part := reader.read(start + len(found), 1 << 16):
            found += part
        assert start + len(found) == reader.size
        return found
    finally:
        reader.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reads(logs: LogStore, expected: bytes) -> bool:
    try:
        return text_of(logs) == expected
    except FileNotFoundError:
        return False


def test_a_log_is_followed_from_elsewhere_while_it_grows(stores: Stores, elsewhere: Stores) -> None:
    with pytest.raises(FileNotFoundError):
        elsewhere.logs.reader(ATTEMPT, StepName.BUILD)
    writer = stores.logs.writer(ATTEMPT, StepName.BUILD)
    written = b""
    for number in range(3):
        line = f"line {number}\n".encode()
        writer.write(line)
        written += line
        until(lambda written=written: reads(elsewhere.logs, written))
    assert text_of(elsewhere.logs, start=7) == written[7:]
    writer.close()
    assert stores.logs.settle(ATTEMPT, seconds=20)
    assert text_of(elsewhere.logs) == written


def test_a_reader_goes_on_when_the_log_is_put_together_meanwhile(stores: Stores, elsewhere: Stores) -> None:
    writer = stores.logs.writer(ATTEMPT, StepName.BUILD)
    writer.write(b"first\n")
    until(lambda: reads(elsewhere.logs, b"first\n"))
    reader = elsewhere.logs.reader(ATTEMPT, StepName.BUILD)
    writer.write(b"second\n")
    writer.close()
    assert stores.logs.settle(ATTEMPT, seconds=20)
    assert reader.read(2, 100) == b"rst\n"
    reader.close()


def test_steps_and_attempts_have_their_own_logs(stores: Stores, elsewhere: Stores) -> None:
    for step, text in ((StepName.BUILD, b"build"), (StepName.DEPLOY, b"deploy")):
        writer = stores.logs.writer(ATTEMPT, step)
        writer.write(text)
        writer.close()
    assert stores.logs.settle(ATTEMPT, seconds=20)
    assert text_of(elsewhere.logs) == b"build"
    assert text_of(elsewhere.logs, StepName.DEPLOY) == b"deploy"
    with pytest.raises(FileNotFoundError):
        elsewhere.logs.reader(Attempt(branch_id=7, number=3, attempt=2), StepName.BUILD)
    elsewhere.logs.delete_job(7, 3)
    with pytest.raises(FileNotFoundError):
        elsewhere.logs.reader(ATTEMPT, StepName.BUILD)


def test_a_killed_workers_log_is_completed_by_the_next_one(
    settings: Settings, elsewhere: Stores, tmp_path: Path
) -> None:
    killed = open_stores(settings)
    writer = killed.logs.writer(ATTEMPT, StepName.BUILD)
    writer.write(b"shipped\n")
    until(lambda: reads(elsewhere.logs, b"shipped\n"))
    # What it had written and not shipped when it was killed.
    killed.close()
    with (tmp_path / "logs" / "7" / "3" / "1" / "BUILD.txt").open("ab") as file:
        file.write(b"not shipped\n")
    successor = open_stores(settings)
    successor.logs.ship_leftovers()
    until(lambda: reads(elsewhere.logs, b"shipped\nnot shipped\n"))
    successor.close()
