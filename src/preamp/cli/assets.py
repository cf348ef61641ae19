"""`preamp assets`: how long browsers may keep the files of an app."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.hosting import change_app
from preamp.cli.options import data_flag


@click.group(no_args_is_help=True)
def assets() -> None:
    """Let browsers keep files that have a fingerprint in their name."""


@assets.command("immutable")
@click.argument("app")
@click.argument("state", type=click.Choice(["on", "off"]))
@data_flag
def immutable(app: str, state: str, data: Path | None) -> None:
    """Send files such as app.3f9a1c2b.js of APP, a name or an id, with a lifetime of a year.

    Off, which is the default, they are asked for again like all others. Custom headers win over
    both.
    """
    from dataclasses import replace

    change_app(data, app, lambda now: replace(now, immutable_assets=state == "on"))
    click.echo(f"immutable assets of {app} are {state}")
