"""`preamp jobs`: the jobs of a branch as a table."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from preamp.cli.remote import JobView


@click.command()
@click.argument("app")
@click.argument("branch")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@data_flag
@json_flag
def jobs(app: str, branch: str, limit: int, data: Path | None, as_json: bool) -> None:
    """List the jobs of a branch, newest first; APP is a name or an id."""
    from preamp.cli.connection import find_endpoint
    from preamp.cli.remote import Remote

    remote = Remote(find_endpoint(data))
    found = remote.jobs(remote.app(app).app_id, branch, limit=limit)
    if as_json:
        print_json([_plain(job) for job in found])
        return
    from rich.console import Console

    # A pipe has no width of its own; a fixed one keeps the columns where scripts saw them before.
    Console(width=None if sys.stdout.isatty() else 110).print(jobs_table(found))


def jobs_table(found: list[JobView]) -> Table:
    """A table for a terminal of any width; long commit messages are cut."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    colours = {"SUCCEED": "green", "FAILED": "red", "CANCELLED": "yellow", "RUNNING": "cyan"}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("job", "type", "status", "started", "took", "commit"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in {"job", "took"} else "left")
    table.add_column("message", no_wrap=True, overflow="ellipsis")
    for job in found:
        status = job.status.value
        table.add_row(
            job.job_id,
            job.type,
            Text(status, style=colours.get(status, "")),
            job.started.astimezone().strftime("%Y-%m-%d %H:%M:%S") if job.started else "",
            _took(job),
            (job.commit_id or "")[:8],
            Text(((job.commit_message or "").splitlines() or [""])[0]),
        )
    return table


def _took(job: JobView) -> str:
    if job.started is None or job.ended is None:
        return ""
    return f"{(job.ended - job.started).total_seconds():.1f} s"


def _plain(job: JobView) -> dict[str, str | None]:
    def moment(value: datetime | None) -> str | None:
        return value.isoformat() if value else None

    return {
        "jobId": job.job_id,
        "jobType": job.type,
        "status": job.status.value,
        "commitId": job.commit_id,
        "commitMessage": job.commit_message,
        "startTime": moment(job.started),
        "endTime": moment(job.ended),
    }
