from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from preamp.compute.logs import LogFile, ServerLog, aside, log_file, remove_old


class Sink:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    @property
    def lines(self) -> list[str]:
        """Without their times, which are checked."""
        found = self.data.decode().splitlines()
        assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in found)
        return [line[25:] for line in found]


def test_lines_that_come_in_pieces() -> None:
    sink = Sink()
    log = ServerLog(sink)
    for piece in (b"one\ntw", b"o\r\nthr", b"ee"):
        log.output(piece)
    assert sink.lines == ["one", "two"]
    log.say("ended")
    assert sink.lines == ["one", "two", "three", "# ended"]
    assert log.last_lines == ("one", "two", "three")


def test_secrets_are_masked_also_when_they_are_cut() -> None:
    sink = Sink()
    log = ServerLog(sink, secrets=["hunter2hunter2"])
    log.output(b"password: hunter2")
    log.output(b"hunter2!\n")
    log.say("with hunter2hunter2")
    assert sink.lines == ["password: ****!", "# with ****"]
    assert log.last_lines == ("password: ****!",)


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    sink = Sink()
    log = ServerLog(sink)
    for _ in range(100):
        log.output(b"x" * 10_000)
    assert len(sink.data) > 900_000


def test_too_much_memory_in_the_words_of_node() -> None:
    log = ServerLog(Sink())
    log.output(b"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n")
    log.output(b"trace\n" * 100)
    assert log.heap_exhausted


def test_files_are_put_aside(tmp_path: Path) -> None:
    file = log_file(tmp_path, 7, 12)
    log = LogFile(file, max_bytes=100)
    for number in range(30):
        log.write(f"line {number:05}\n".encode())
    kept = aside(file).read_text() + (file.read_text() if file.exists() else "")
    assert kept.endswith("line 00029\n")
    assert "line 00020\n" in kept
    assert "line 00000\n" not in kept
    assert len(kept) < 250


def test_old_files_go(tmp_path: Path) -> None:
    old, new = log_file(tmp_path, 1, 1), log_file(tmp_path, 1, 2)
    for file in (old, new):
        LogFile(file).write(b"x\n")
    os.utime(old, (1, 1))
    remove_old(tmp_path)
    assert not old.exists()
    assert new.exists()


def test_a_file_that_is_put_aside_while_old_ones_go(tmp_path: Path) -> None:
    gone = log_file(tmp_path, 1, 1)
    gone.parent.mkdir()
    gone.symlink_to("nowhere")  # listed, and not there when it is looked at
    remove_old(tmp_path)


def test_a_disk_that_takes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "7").write_text("in the way of the folder")
    log = LogFile(log_file(tmp_path, 7, 12))
    for _ in range(3):
        log.write(b"line\n")
    assert [record.message[:24] for record in caplog.records] == ["lines of a server are lo"]
