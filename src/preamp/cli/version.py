"""`preamp version`."""

from __future__ import annotations

import platform
import sys

import click

from preamp import __version__
from preamp.cli.options import json_flag, print_json


@click.command()
@json_flag
def version(as_json: bool) -> None:
    """Print the version of Preamp, of Python and of the system."""
    facts = {
        "preamp": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "executable": sys.executable,
    }
    if as_json:
        print_json(facts)
    else:
        click.echo(f"preamp {facts['preamp']} (Python {facts['python']}, {facts['system']})")
