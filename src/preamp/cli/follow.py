"""Watch a job until it has ended, reporting every change and every line of its logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from preamp.cli.errors import Unreachable
from preamp.cli.logtail import LogTail
from preamp.cli.remote import JobView, Remote

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 30
"""A server that crashed is started again by its parent: jobs go on, and so does the one who watches."""


class Watcher(Protocol):
    """Who is told: a terminal, a pipe, a test."""

    def job(self, job: JobView) -> None:
        """The job as it is now; called after every look, also when nothing changed."""
        ...

    def log(self, step: str, text: str) -> None:
        """New text of a step's log: whole or part lines, in order."""
        ...


def follow(
    remote: Remote,
    app_id: str,
    branch: str,
    job_id: str,
    watcher: Watcher,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> JobView:
    """The finished job, after all of its logs were reported.

    Raises Unreachable when the server stays away, Failure when it refuses.
    """
    tails: dict[str, LogTail] = {}
    seen = clock()
    while True:
        try:
            job = remote.job(app_id, branch, job_id)
            # Read after the look, so that an ended job's logs are whole; told before it, so that a step's
            # last lines come before its end.
            report_logs(job, tails, watcher)
            watcher.job(job)
        except Unreachable:
            if clock() - seen > PATIENCE_SECONDS:
                raise
        else:
            if job.finished:
                return job
            seen = clock()
        sleep(POLL_SECONDS)


def report_logs(job: JobView, tails: dict[str, LogTail], watcher: Watcher) -> None:
    """Report what is new in the logs of a job's steps; `tails` remembers what was read, by step."""
    for step in job.steps:
        if step.log_url is not None:
            text = tails.setdefault(step.name, LogTail()).read(step.log_url)
            if text:
                watcher.log(step.name, text)
