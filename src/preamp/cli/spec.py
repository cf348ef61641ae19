"""`preamp spec`: which build spec a folder would be built by, without building it."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.errors import Failure
from preamp.cli.options import platform_flag


@click.command()
@click.argument(
    "folder", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--app-root", metavar="PATH", help="As the variable AMPLIFY_MONOREPO_APP_ROOT says it.")
@platform_flag
def spec(folder: Path, app_root: str | None, platform: str) -> None:
    """Print the build spec of DIR, its own or a generated one.

    Where it comes from and what is wrong with it goes to standard error. Exit status 1 when it
    cannot be used.
    """
    from preamp.build.errors import SpecError
    from preamp.build.files import read_inside
    from preamp.build.lookup import SPEC_FILE, find_spec
    from preamp.build.yaml_nodes import MAX_BYTES
    from preamp.model.apps import Platform

    try:
        found = find_spec(folder, app_root=app_root, platform=Platform(platform))
        text = found.generated or read_inside(folder, SPEC_FILE, MAX_BYTES) or ""
    except SpecError as error:
        raise Failure(str(error)) from error
    root = found.application.app_root
    click.echo(f"preamp: {found.origin}", err=True)
    if root is not None:
        click.echo(f"preamp: appRoot {root or '/'!r}, because {found.why}", err=True)
    for warning in found.warnings:
        click.echo(f"preamp: {warning}", err=True)
    click.echo(text, nl=not text.endswith("\n"))
