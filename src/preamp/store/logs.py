"""Logs of steps: append-only files, `logs/{branch id}/{job}/{attempt}/{STEP}.txt`.

Not rows: a build writes tens of megabytes, and a reader follows the file while it grows. Each attempt
has its own files, so that a worker that was given up by mistake cannot write into its successor's.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from preamp.model.jobs import Attempt, StepName


class LogFolder:
    """The logs of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, attempt: Attempt, step: StepName) -> Path:
        job = self._job(attempt.branch_id, attempt.number)
        return job / str(attempt.attempt) / f"{step}.txt"

    def writer(self, attempt: Attempt, step: StepName) -> LogWriter:
        path = self.path(attempt, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        return LogWriter(path)

    def delete_job(self, branch_id: int, number: int) -> None:
        shutil.rmtree(self._job(branch_id, number), ignore_errors=True)

    def delete_branch(self, branch_id: int) -> None:
        shutil.rmtree(self._folder / str(branch_id), ignore_errors=True)

    def _job(self, branch_id: int, number: int) -> Path:
        return self._folder / str(branch_id) / str(number)


class LogWriter:
    """An open log; what `write` was given can be read at once."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, data: bytes) -> None:
        """Raises OSError (ENOSPC) when the disk is full."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        os.close(self._fd)
