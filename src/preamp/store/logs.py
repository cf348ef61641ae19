"""Logs of steps: append-only files, `logs/{branch id}/{job}/{attempt}/{STEP}.txt`.

Not rows: a build writes tens of megabytes, and a reader follows the file while it grows. Each attempt
has its own files, so that a worker that was given up by mistake cannot write into its successor's.

For many machines the same is kept in an object store, see `shipped_logs`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from preamp.model.jobs import Attempt, StepName


class LogWriter(Protocol):
    """An open log."""

    def write(self, data: bytes) -> None:
        """Raises OSError (ENOSPC) when the disk is full."""

    def close(self) -> None:
        """The log is complete."""


class LogReader(Protocol):
    """A log as it was when it was opened. Blocking."""

    @property
    def size(self) -> int:
        """Bytes."""

    def read(self, start: int, length: int) -> bytes:
        """At most `length` bytes, empty only at the end."""

    def close(self) -> None:
        """Let go of it."""


class LogStore(Protocol):
    """Where the logs are."""

    def writer(self, attempt: Attempt, step: StepName) -> LogWriter:
        """Begin a log."""

    def reader(self, attempt: Attempt, step: StepName) -> LogReader:
        """Raises FileNotFoundError when there is no such log; blocking."""

    def ship_leftovers(self) -> int:
        """Make what a killed worker left on this machine readable from everywhere, and how many logs that is.
        Call it before any `writer`, as the only worker on this folder."""

    def settle(self, attempt: Attempt, *, seconds: float) -> bool:
        """Wait until everything written for the attempt can be read from everywhere; False when that takes
        longer. It goes on in the background then. Blocking."""

    def sizes(self) -> Mapping[tuple[int, int], int]:
        """Bytes by (branch id, job), of everything that is stored. Blocking, looks at every log."""

    def delete_job(self, branch_id: int, number: int) -> None:
        """The logs of all attempts."""

    def delete_branch(self, branch_id: int) -> None:
        """The logs of all jobs."""

    def close(self) -> None:
        """Nothing more is written or read."""


class LogFolder:
    """The logs of one data folder; what is written can be read at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, attempt: Attempt, step: StepName) -> Path:
        job = self._job(attempt.branch_id, attempt.number)
        return job / str(attempt.attempt) / f"{step}.txt"

    def writer(self, attempt: Attempt, step: StepName) -> LogFile:
        path = self.path(attempt, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        return LogFile(path)

    def reader(self, attempt: Attempt, step: StepName) -> OpenLog:
        return OpenLog(self.path(attempt, step))

    def ship_leftovers(self) -> int:
        return 0

    def settle(self, attempt: Attempt, *, seconds: float) -> bool:
        return True

    def sizes(self) -> Mapping[tuple[int, int], int]:
        found = {}
        for branch in self._folder.iterdir():
            # Jobs and branches may go while they are looked at.
            with contextlib.suppress(FileNotFoundError):
                for job in branch.iterdir() if branch.name.isdigit() else ():
                    with contextlib.suppress(FileNotFoundError):
                        size = sum(path.stat().st_size for path in job.glob("*/*"))
                        found[int(branch.name), int(job.name)] = size
        return found

    def delete_job(self, branch_id: int, number: int) -> None:
        shutil.rmtree(self._job(branch_id, number), ignore_errors=True)

    def delete_branch(self, branch_id: int) -> None:
        shutil.rmtree(self._folder / str(branch_id), ignore_errors=True)

    def close(self) -> None:
        return

    def _job(self, branch_id: int, number: int) -> Path:
        return self._folder / str(branch_id) / str(number)


class LogFile:
    """A log that is being written."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        os.close(self._fd)


class OpenLog:
    """A log that is being read, maybe while it grows."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._fd).st_size

    @property
    def size(self) -> int:
        return self._size

    def read(self, start: int, length: int) -> bytes:
        return os.pread(self._fd, min(length, self._size - start), start)

    def close(self) -> None:
        os.close(self._fd)
