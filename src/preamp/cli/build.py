"""`preamp build`: what a job would build, with neither a server nor a database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.errors import CommandError
from preamp.cli.options import FOLDER, data_flag, load_settings, platform_flag, settings_flags

if TYPE_CHECKING:
    from preamp.build.request import BuildRequest

LOCAL = "local"
"""What the app ids of local builds begin with."""
LOCAL_SLOT = 2000
"""Beyond the slots of any worker, so that a build as root has a user id of its own."""


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False))
@click.option("--branch", metavar="NAME", help="Branch to build [the current one].")
@click.option("--env", "-e", "variables", metavar="K=V", multiple=True, help="Variable; repeatable.")
@click.option("-o", "--output", type=FOLDER, metavar="DIR", help="Put the built files there.")
@click.option("--committed", is_flag=True, help="Build the last commit, not the files as they are.")
@platform_flag
@data_flag
@settings_flags("insecure_no_sandbox")
def build(
    folder: str,
    branch: str | None,
    variables: tuple[str, ...],
    output: Path | None,
    committed: bool,
    platform: str,
    data: Path | None,
    insecure_no_sandbox: bool | None,
) -> None:
    """Build DIR as a job would, without a server, and print its log.

    Same build spec, environment, sandbox and caches as a job. The files are taken as they are,
    committed or not, but for those that .gitignore names; nothing is written to DIR or its
    repository. The built files are left in --output, or in a folder of the data folder that
    the next build of DIR replaces. Exit status 1 when the build fails.
    """
    import asyncio
    import hashlib
    import shutil

    from preamp.build.request import BuildRequest, Folders, JobIdentity
    from preamp.cli.snapshot import snapshot
    from preamp.cli.source import Repository, decide
    from preamp.model.apps import Platform
    from preamp.model.ids import branch_arn, padded
    from preamp.store.folder import DataFolder

    what = decide(folder, as_files=False)
    if committed and not isinstance(what, Repository):
        raise CommandError(f"--committed needs the top of a git working folder, and {folder} is none")
    if committed and isinstance(what, Repository) and what.uncommitted:
        click.echo("preamp: there are uncommitted changes; the last commit is built", err=True)
    if output is not None and output.exists() and any(output.iterdir()):
        raise CommandError(f"{output} is not empty; name a new folder")
    settings = load_settings(data=data, insecure_no_sandbox=insecure_no_sandbox)
    paths = DataFolder(settings.data.absolute())
    paths.make()
    name = branch or what.branch
    place = Path(folder).resolve()
    app_id = LOCAL + hashlib.sha256(str(place).encode()).hexdigest()[:12]
    asked_elsewhere = isinstance(what, Repository) and name != what.branch
    bare = isinstance(what, Repository) and not (place / ".git").exists()
    if isinstance(what, Repository) and (committed or bare or asked_elsewhere):
        url = what.url
    else:
        url = snapshot(place, paths.mirrors / "working" / app_id, name)
    target = output or paths.root / "local" / app_id
    if output is None:
        shutil.rmtree(target, ignore_errors=True)
    request = BuildRequest(
        job=JobIdentity(
            app_id=app_id,
            branch=name,
            branch_arn=branch_arn(
                account=settings.account_id, region=settings.region, app_id=app_id, branch=name
            ),
            job_id=padded(1),
        ),
        repository=url,
        folders=Folders(
            mirrors=paths.mirrors, caches=paths.cache, toolchains=paths.toolchains, images=paths.images
        ),
        branch_variables=_variables(variables),
        platform=Platform(platform),
        timeout_s=settings.build_timeout_minutes * 60,
        slot=LOCAL_SLOT,
    )
    asyncio.run(_run(request, target, insecure_no_sandbox=settings.insecure_no_sandbox))


async def _run(request: BuildRequest, output: Path, *, insecure_no_sandbox: bool) -> None:
    import shutil

    from preamp.build import mounts
    from preamp.build.run import run_build
    from preamp.build.sandbox import probe
    from preamp.build.workspace import open_workspace

    mounts.isolate()  # before there are threads
    sandbox = probe(insecure_no_sandbox=insecure_no_sandbox)
    async with open_workspace(request) as workspace:
        result = await run_build(request, workspace=workspace, sandbox=sandbox, log=_Output())
        click.echo(f"{result.file_count} files, {result.total_bytes:,} bytes", err=True)
        shutil.copytree(result.output, output, symlinks=True, dirs_exist_ok=True)
        click.echo(f"they are in {output}", err=True)


class _Output:
    """Standard output, shown at once also when it is a pipe."""

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _variables(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise CommandError(f"--env {item!r} is not NAME=VALUE")
        found[name] = value
    return found
