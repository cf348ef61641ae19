"""Processes of this machine, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.preamp import Preamp


def command_lines() -> Iterator[tuple[int, list[bytes]]]:
    """Every process but this one: its id and the words of its command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")[:-1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(entry.name), words


def having(*marks: bytes) -> list[list[bytes]]:
    """The command lines that contain one of the marks."""
    return [words for _, words in command_lines() if any(mark in word for word in words for mark in marks)]


def processes_of(preamp: Preamp, role: str) -> list[int]:
    """The children of `preamp serve` that have the role."""
    assert preamp.process is not None
    return [
        pid
        for pid, words in command_lines()
        if words[-2:] == [b"preamp.server.child", role.encode()] and parent_of(pid) == preamp.process.pid
    ]


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def send(pids: list[int], number: int) -> None:
    """A signal to those that still live."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
