"""`preamp env`: what any AWS client needs to talk to this server instead of AWS."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from preamp.cli.options import data_flag, load_settings, print_json


@click.command()
@data_flag
@click.option(
    "--format", "form", type=click.Choice(["shell", "json"]), default="shell", show_default=True, help="Form."
)
def env(data: Path | None, form: str) -> None:
    """Print the variables that point AWS clients at this server.

    \b
    eval "$(preamp env)"
    aws amplify list-apps
    """
    from preamp.cli.connection import ENDPOINT, administrator, find_running
    from preamp.cli.errors import CommandError

    settings = load_settings(data=data)
    key = administrator(settings)
    running = find_running(settings.data)
    if running is not None:
        url = running.control_url
    elif settings.control.endswith(":0"):
        raise CommandError(
            f"no Preamp is running on the data folder {settings.data}, and its port is not fixed; "
            "start it with `preamp serve`"
        )
    else:
        url = settings.control_url or f"http://{settings.control}"
        click.echo(f"preamp: no server is running on {settings.data} now", err=True)
    variables = {
        ENDPOINT: url,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": settings.region,
    }
    if form == "json":
        print_json(variables)
    else:
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
