"""`preamp maintenance`: a page that answers everything while a site is being worked on."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.hosting import change_branch
from preamp.cli.options import data_flag

DEFAULT = "This site is being worked on. Please come back in a few minutes."


@click.group(no_args_is_help=True)
def maintenance() -> None:
    """Switch the maintenance page of a branch on and off."""


@maintenance.command("on")
@click.argument("app")
@click.argument("branch")
@click.option("--message", default=DEFAULT, metavar="TEXT", help="What the page says.")
@data_flag
def on(app: str, branch: str, message: str, data: Path | None) -> None:
    """Answer every request to BRANCH of APP, a name or an id, with the page and status 503."""
    from dataclasses import replace

    change_branch(data, app, branch, lambda now: replace(now, maintenance=message))
    click.echo(f"{branch} of {app} shows the maintenance page")


@maintenance.command("off")
@click.argument("app")
@click.argument("branch")
@data_flag
def off(app: str, branch: str, data: Path | None) -> None:
    """Serve the site again."""
    from dataclasses import replace

    change_branch(data, app, branch, lambda now: replace(now, maintenance=None))
    click.echo(f"{branch} of {app} is served")
