"""`preamp logs`: what a job printed."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.errors import CommandError, Failure
from preamp.cli.options import data_flag


@click.command()
@click.argument("app")
@click.argument("branch")
@click.argument("job", required=False)
@click.option("--step", metavar="NAME", help="Only this step, such as BUILD.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job has ended.")
@data_flag
def logs(
    app: str, branch: str, job: str | None, step: str | None, following: bool, data: Path | None
) -> None:
    """Print what a job printed.

    APP is a name or an id; without JOB it is the newest one of the branch.
    With --follow the exit status is 1 when the job did not succeed.
    """
    from preamp.cli.connection import find_endpoint
    from preamp.cli.follow import follow, report_steps
    from preamp.cli.remote import JobView, Remote, StepView

    only = step

    class Printer:
        """Prints the log text as it comes."""

        def log(self, name: str, text: str) -> None:
            if only is None or name == only.upper():
                click.echo(text, nl=False)

        def step(self, _: StepView) -> None:
            return

        def job(self, _: JobView) -> None:
            return

    remote = Remote(find_endpoint(data))
    app_id = remote.app(app).app_id
    if job is None:
        newest = remote.jobs(app_id, branch, limit=1)
        if not newest:
            raise CommandError(f"the branch {branch} of {app} has no jobs yet")
        job = newest[0].job_id
    if not following:
        report_steps(remote.job(app_id, branch, job), {}, Printer())
        return
    ended = follow(remote, app_id, branch, job, Printer())
    if not ended.succeeded:
        raise Failure(f"job {job} ended {ended.status.value}: {ended.reason or 'see its log'}")
