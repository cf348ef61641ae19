"""Watch a job until it has ended, reporting every change and every line of its logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from preamp.cli.errors import Unreachable
from preamp.cli.logtail import LogTail
from preamp.cli.remote import JobView, Remote, StepView

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 30
"""A server that crashed is started again by its parent: jobs go on, and so does the one who watches."""


class Watcher(Protocol):
    """Who is told: a terminal, a pipe, a test."""

    def log(self, step: str, text: str) -> None:
        """New text of a step's log: whole or part lines, in order."""
        ...

    def step(self, step: StepView) -> None:
        """A step as it is now, after what its log says so far; called at every look."""
        ...

    def job(self, job: JobView) -> None:
        """The job as it is now, after its steps; called at every look."""
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
            # Logs are read after the look, so that those of an ended job are whole.
            report_steps(job, tails, watcher)
            watcher.job(job)
        except Unreachable:
            if clock() - seen > PATIENCE_SECONDS:
                raise
        else:
            if job.finished:
                return job
            seen = clock()
        sleep(POLL_SECONDS)


def report_steps(job: JobView, tails: dict[str, LogTail], watcher: Watcher) -> None:
    """Report each step with what is new in its log; `tails` remembers what was read, by step."""
    for step in job.steps:
        if step.log_url is not None:
            text = tails.setdefault(step.name, LogTail()).read(step.log_url)
            if text:
                watcher.log(step.name, text)
        watcher.step(step)
