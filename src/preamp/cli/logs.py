"""`preamp logs`: what a job printed, who visited a site, and what its server says."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from preamp.cli.app_reference import app_id_of, branch_of
from preamp.cli.errors import CommandError, Failure
from preamp.cli.opened import opened
from preamp.cli.options import data_flag


class _JobByDefault(click.Group):
    """`preamp logs APP BRANCH` means `preamp logs job APP BRANCH`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *self.get_help_option_names(ctx)}
        return super().parse_args(ctx, ["job", *args] if args and args[0] not in known else args)


@click.group(cls=_JobByDefault, no_args_is_help=True)
def logs() -> None:
    """Print what a job printed, who visited a site, or what its server says.

    `preamp logs APP BRANCH` is short for `preamp logs job APP BRANCH`.
    """


@logs.command("access")
@click.argument("app")
@click.argument("domain", required=False)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--hours", default=1, show_default=True, type=click.IntRange(1, 24 * 366), help="How far back.")
@data_flag
def access(app: str, domain: str | None, following: bool, hours: int, data: Path | None) -> None:
    """Print the access log of APP, a name or an id, in Amplify's columns.

    DOMAIN is a host or a domain with everything below it; without it all hosts of the app are meant.
    """
    from preamp.cli.access_log import existing, follow
    from preamp.store.access_logs import HEADER, AccessLogFolder
    from preamp.store.folder import DataFolder

    with opened(data) as it:
        app_id = app_id_of(it, app)
        folder = AccessLogFolder(DataFolder(it.settings.data).access)
    out = sys.stdout.buffer
    out.write(HEADER)
    name = domain.lower().removesuffix(".") if domain else None
    places = existing(folder, app_id, name, hours=hours, out=out)
    out.flush()
    if following:
        follow(folder, app_id, name, places, out)


@logs.command("compute")
@click.argument("app")
@click.argument("branch")
@click.option("--job", metavar="JOB", help="Of the release of this job, not of the one that is served.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until Ctrl-C.")
@data_flag
def compute_logs(app: str, branch: str, job: str | None, following: bool, data: Path | None) -> None:
    """Print what the server of BRANCH of APP, a name or an id, has printed on this machine.

    Lines that begin with # tell of its starts and ends.
    """
    from contextlib import closing

    from preamp.cli.compute_log import Reader
    from preamp.compute.logs import log_file
    from preamp.store.folder import DataFolder

    if job is not None and not job.isdigit():
        raise CommandError(f"{job!r} is not the number of a job")
    with opened(data) as it:
        app_id = app_id_of(it, app)
        found = branch_of(it, app_id, branch)
        folder = DataFolder(it.settings.data).compute_logs
    number = found.active_job if job is None else int(job)
    if number is None:
        raise CommandError(f"the branch {branch} of {app} serves nothing yet")
    out = sys.stdout.buffer
    with closing(Reader(log_file(folder, found.branch_id, number))) as reader:
        if not reader.read_all(out) and not following:
            raise CommandError(
                f"the release of job {number} has no server, or it never ran on this machine "
                "(or not for a month)"
            )
        out.flush()
        if following:
            reader.follow(out)


@logs.command("job")
@click.argument("app")
@click.argument("branch")
@click.argument("job", required=False)
@click.option("--step", metavar="NAME", help="Only this step, such as BUILD.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job has ended.")
@data_flag
def job_logs(
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
