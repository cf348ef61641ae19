"""How a job's progress is shown: a live picture on a terminal, plain lines anywhere else.

Both write to standard error: standard output is for the result.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import click

from preamp.cli.follow import Watcher
from preamp.cli.remote import JobView, StepView
from preamp.model.jobs import JobStatus

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

KEPT_LINES = 20
LIVE_LINES = 8
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]")
"""Colours and cursor movements of a build would spoil the picture."""
_WORDS = {
    JobStatus.CREATED: "waits for its upload",
    JobStatus.PENDING: "waiting",
    JobStatus.PROVISIONING: "waits for a machine",
    JobStatus.RUNNING: "running",
    JobStatus.SUCCEED: "done",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLING: "stopping",
    JobStatus.CANCELLED: "stopped",
}
_STYLES = {
    JobStatus.RUNNING: "cyan",
    JobStatus.SUCCEED: "green",
    JobStatus.FAILED: "bold red",
    JobStatus.CANCELLING: "yellow",
    JobStatus.CANCELLED: "yellow",
}


class Display(Watcher, AbstractContextManager["Display"]):
    """A watcher that is open for the length of a job."""

    def __init__(self) -> None:
        self.tail: deque[str] = deque(maxlen=KEPT_LINES)
        """The newest whole lines of the logs."""
        self._partial = ""

    def log(self, step: str, text: str) -> None:
        *lines, self._partial = (self._partial + text).split("\n")
        lines = [_CONTROL.sub("", line) for line in lines]
        self.tail.extend(lines)
        self.new_lines(step, lines)

    def step(self, step: StepView) -> None:
        """Show the state of a step."""

    def job(self, job: JobView) -> None:
        """Show the state of the job."""

    def new_lines(self, step: str, lines: list[str]) -> None:
        """Show lines that were added to the tail."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class PlainDisplay(Display):
    """One line for every change of a step; with `logs` also the logs themselves."""

    def __init__(self, *, logs: bool = False) -> None:
        super().__init__()
        self._logs = logs
        self._told: dict[str, JobStatus] = {}

    def job(self, job: JobView) -> None:
        if not job.steps:
            self._tell("job", job.status, "")

    def step(self, step: StepView) -> None:
        if step.status is not JobStatus.PENDING:
            self._tell(step.name, step.status, duration(step))

    def new_lines(self, step: str, lines: list[str]) -> None:
        if self._logs and lines:
            if step not in self._told:
                self._tell(step, JobStatus.RUNNING, "")
            for line in lines:
                click.echo(f"  {line}", err=True)

    def _tell(self, name: str, status: JobStatus, took: str) -> None:
        if self._told.get(name) is not status:
            self._told[name] = status
            took = f" ({took})" if took and status is not JobStatus.RUNNING else ""
            click.echo(f"{name}: {_WORDS[status]}{took}", err=True)


class LiveDisplay(Display):
    """The steps with their times, and the end of the log below."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__()
        from rich.live import Live

        self._title = title
        self._seen: JobView | None = None
        self._live: Live = Live(
            console=console, get_renderable=self._picture, refresh_per_second=8, transient=False
        )

    def job(self, job: JobView) -> None:
        self._seen = job

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        job = self._seen
        lines = list(self.tail)[-LIVE_LINES:]
        if job is None or job.succeeded or not lines:
            return steps_table(job, self._title)
        log = Text("\n".join(lines), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(steps_table(job, self._title), Panel(log, border_style="dim", expand=True))


def steps_table(job: JobView | None, title: str) -> RenderableType:
    """The steps of a job, one row each."""
    from rich.console import Group
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    heading = Text(title, style="bold")
    if job is None or not job.steps:
        status = job.status if job else JobStatus.PENDING
        return Group(heading, Text(_WORDS[status], style=_STYLES.get(status, "dim")))
    table = Table.grid(padding=(0, 2))
    marks = {JobStatus.SUCCEED: "✓", JobStatus.FAILED: "✗", JobStatus.CANCELLED: "■"}
    for step in job.steps:
        style = _STYLES.get(step.status, "dim")
        mark: RenderableType = Text(marks.get(step.status, "·"), style=style)
        if step.status is JobStatus.RUNNING:
            mark = Spinner("dots", style=style)
        took = "" if step.status is JobStatus.PENDING else duration(step)
        table.add_row(mark, step.name, Text(_WORDS[step.status], style=style), Text(took, style="dim"))
    return Group(heading, table)


def display(title: str, *, logs: bool = False) -> Display:
    """The right display for this standard error. `logs` is for the plain one."""
    if not sys.stderr.isatty():
        return PlainDisplay(logs=logs)
    from rich.console import Console

    return LiveDisplay(Console(stderr=True), title)


def duration(step: StepView) -> str:
    """How long a step took, or has been running; empty when it is not known."""
    if step.started is None:
        return ""
    end = step.ended or datetime.now(UTC)
    return f"{max(0.0, (end - step.started).total_seconds()):.1f} s"
