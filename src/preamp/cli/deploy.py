"""`preamp deploy`: from a folder or a repository to a live URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.errors import CommandError, Failure
from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from preamp.cli.display import Display
    from preamp.cli.remote import AppView, JobView, Remote
    from preamp.cli.source import Files, Repository


@click.command()
@click.argument("source", default=".")
@click.option("--app", "app_name", metavar="NAME", help="App, by name or id [the name of SOURCE].")
@click.option("--branch", metavar="NAME", help="Branch [of a repository: its current one; else main].")
@click.option("--files", is_flag=True, help="Publish a git working folder as it is, without a build.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end of the job.")
@data_flag
@json_flag
def deploy(
    source: str,
    app_name: str | None,
    branch: str | None,
    files: bool,
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
    app = _app(remote, what, app_name or what.name)
    name = branch or what.branch
    view = remote.find_branch(app.app_id, name) or remote.create_branch(app.app_id, name)
    if isinstance(what, Repository):
        if what.uncommitted:
            click.echo("preamp: there are uncommitted changes; the last commit is deployed", err=True)
        job_id = remote.start_job(app.app_id, name)
    else:
        job_id = _upload(remote, app.app_id, name, what)
    url = site_url(app, view)
    if no_wait:
        _report(as_json, app=app, branch=name, job_id=job_id, status="PENDING", url=url)
        return
    with display(f"{app.name} / {name}, job {job_id}") as shown:
        job = follow(remote, app.app_id, name, job_id, shown)
    _report(as_json, app=app, branch=name, job_id=job_id, status=job.status.value, url=url)
    if not job.succeeded:
        raise _failure(job, shown)


def _app(remote: Remote, what: Repository | Files, reference: str) -> AppView:
    """The app to deploy to; made when there is none of that name."""
    from preamp.cli.source import Repository

    repository = what.url if isinstance(what, Repository) else None
    app = remote.find_app(reference)
    if app is None:
        return remote.create_app(name=reference, repository=repository)
    if repository and app.repository != repository:
        has = f"builds {app.repository}" if app.repository else "has no repository"
        raise CommandError(
            f"the app {app.name!r} ({app.app_id}) {has}, not {repository}; "
            "choose another name with --app, or change the app's repository with UpdateApp"
        )
    if repository is None and app.repository:
        raise CommandError(
            f"the app {app.name!r} ({app.app_id}) builds {app.repository}; files cannot be deployed to it: "
            "choose another name with --app"
        )
    return app


def _upload(remote: Remote, app_id: str, branch: str, what: Files) -> str:
    """The id of a started manual deployment."""
    import tempfile

    from preamp.cli.bundle import write_zip

    with tempfile.TemporaryFile() as temporary:
        if what.path.is_dir():
            count = write_zip(what.path, temporary)
            click.echo(f"{count} {'file' if count == 1 else 'files'} from {what.path}", err=True)
        job_id, url = remote.create_deployment(app_id, branch)
        if what.path.is_dir():
            size = temporary.tell()
            temporary.seek(0)
            remote.upload(url, temporary, size)
        else:
            with what.path.open("rb") as archive:
                remote.upload(url, archive, what.path.stat().st_size)
    remote.start_deployment(app_id, branch, job_id)
    return job_id


def _report(as_json: bool, *, app: AppView, branch: str, job_id: str, status: str, url: str) -> None:
    if as_json:
        print_json({"appId": app.app_id, "branchName": branch, "jobId": job_id, "status": status, "url": url})
    elif status in {"SUCCEED", "PENDING"}:
        click.echo(url)


def _failure(job: JobView, shown: Display) -> Failure:
    lines = "".join(f"\n  {line}" for line in shown.tail)
    return Failure(f"job {job.job_id} ended {job.status.value}: {job.reason or 'see its log'}{lines}")
