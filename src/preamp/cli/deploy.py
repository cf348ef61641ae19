"""`preamp deploy`: from a folder or a repository to a live URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from preamp.cli.errors import CommandError, Failure
from preamp.cli.options import PLATFORM, data_flag, json_flag, print_json

if TYPE_CHECKING:
    from preamp.cli.display import Display
    from preamp.cli.remote import AppView, BranchView, JobView, Remote
    from preamp.cli.source import Files, Repository


@click.command()
@click.argument("source", default=".")
@click.option("--app", "app_name", metavar="NAME", help="App, by name or id [the name of SOURCE].")
@click.option("--branch", metavar="NAME", help="Branch [of a repository: its current one; else main].")
@click.option("--files", is_flag=True, help="Publish a git working folder as it is, without a build.")
@click.option(
    "--platform",
    type=PLATFORM,
    help="Of an app that is created [WEB_COMPUTE for files with a deploy-manifest.json; else WEB].",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for the end of the job.")
@data_flag
@json_flag
def deploy(
    source: str,
    app_name: str | None,
    branch: str | None,
    files: bool,
    platform: str | None,
    no_wait: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Bring SOURCE (default: this folder) online and print its URL.

    The first rule that fits decides what SOURCE is:

    \b
    1. the URL of a repository: it is cloned and built;
    2. the top of a git working folder, or a bare repository: its last commit is
       built (--files publishes the folder as it is instead);
    3. any other folder, or a .zip file: published as it is.

    The app and the branch are created when they are missing. Progress goes to standard
    error, the URL to standard output. Exit status 1 when the job fails.
    """
    from preamp.cli.connection import find_endpoint
    from preamp.cli.display import display
    from preamp.cli.follow import follow
    from preamp.cli.remote import Remote, site_url
    from preamp.cli.source import Repository, decide

    what = decide(source, as_files=files)
    remote = Remote(find_endpoint(data))
    name = branch or what.branch
    if isinstance(what, Repository):
        if what.uncommitted:
            click.echo("preamp: there are uncommitted changes; the last commit is deployed", err=True)
        app, view = _target(remote, what, app_name or what.name, name, platform)
        job_id = remote.start_job(app.app_id, name)
    else:
        with _archive(what) as archive:  # first: nothing is created for files that cannot be deployed
            platform = platform or ("WEB_COMPUTE" if what.is_bundle else "WEB")
            app, view = _target(remote, what, app_name or what.name, name, platform)
            job_id, upload_url = remote.create_deployment(app.app_id, name)
            remote.upload(upload_url, archive, archive.seek(0, os.SEEK_END))
        remote.start_deployment(app.app_id, name, job_id)
    url = site_url(app, view)
    if no_wait:
        _report(as_json, app=app, branch=name, job_id=job_id, status="PENDING", url=url)
        return
    with display(f"{app.name} / {name}, job {job_id}") as shown:
        job = follow(remote, app.app_id, name, job_id, shown)
    _report(as_json, app=app, branch=name, job_id=job_id, status=job.status.value, url=url)
    if not job.succeeded:
        raise _failure(job, shown)


def _target(
    remote: Remote, what: Repository | Files, reference: str, branch: str, platform: str | None
) -> tuple[AppView, BranchView]:
    """The app and the branch to deploy to, made when they are missing. Raises CommandError."""
    from preamp.cli.source import Repository

    repository = what.url if isinstance(what, Repository) else None
    app = remote.find_app(reference)
    if app is None:
        app = remote.create_app(name=reference, repository=repository, platform=platform)
    if app.repository != repository:
        has = f"builds {app.repository}" if app.repository else "has no repository"
        wanted = f"not {repository}" if repository else "so that files cannot be deployed to it"
        raise CommandError(
            f"the app {app.name!r} ({app.app_id}) {has}, {wanted}; choose another name with --app"
        )
    view = remote.find_branch(app.app_id, branch) or remote.create_branch(app.app_id, branch)
    return app, view


@contextmanager
def _archive(what: Files) -> Iterator[IO[bytes]]:
    """The zip archive of the files."""
    import tempfile

    from preamp.cli.bundle import write_zip

    if not what.path.is_dir():
        with what.path.open("rb") as archive:
            yield archive
        return
    with tempfile.TemporaryFile() as temporary:
        count = write_zip(what.path, temporary)
        click.echo(f"{count} {'file' if count == 1 else 'files'} from {what.path}", err=True)
        yield temporary


def _report(as_json: bool, *, app: AppView, branch: str, job_id: str, status: str, url: str) -> None:
    if as_json:
        print_json({"appId": app.app_id, "branchName": branch, "jobId": job_id, "status": status, "url": url})
    elif status in {"SUCCEED", "PENDING"}:
        click.echo(url)


def _failure(job: JobView, shown: Display) -> Failure:
    lines = "".join(f"\n  {line}" for line in shown.tail)
    return Failure(f"job {job.job_id} ended {job.status.value}: {job.reason or 'see its log'}{lines}")
