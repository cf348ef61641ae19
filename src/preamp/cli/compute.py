"""`preamp compute`: the process that runs servers of releases, and how they are run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from preamp.cli.hosting import change_app, change_branch
from preamp.cli.options import data_flag, settings_flags

STATE = click.Choice(["on", "off"])


@click.group(invoke_without_command=True)
@settings_flags("data", "database", "blobs", "drain_seconds", "insecure_no_sandbox", "log_level")
@click.pass_context
def compute(context: click.Context, /, **flags: Any) -> None:
    """Run only the servers of releases, for the edges of this machine.

    With a command: set how they are run.
    """
    if context.invoked_subcommand is None:
        from preamp.cli.processes import run

        run("compute", flags)


@compute.command("variables")
@click.argument("app")
@click.argument("branch")
@click.argument("state", type=STATE)
@data_flag
def variables(app: str, branch: str, state: str, data: Path | None) -> None:
    """Let the server of BRANCH of APP, a name or an id, see the variables and secrets of its builds.

    Off, which is the default and what Amplify does, it sees none of them. A server that runs is
    replaced.
    """
    from dataclasses import replace

    change_branch(data, app, branch, lambda now: replace(now, runtime_variables=state == "on"))
    click.echo(f"variables for the server of {branch} of {app} are {state}")


@compute.command("verify")
@click.argument("app")
@click.argument("state", type=STATE)
@data_flag
def verify(app: str, state: str, data: Path | None) -> None:
    """Fail jobs of APP whose new server answers / with a status of 500 or more.

    On is the default: the previous release stays live. A server that does not start fails the job
    in any case.
    """
    from dataclasses import replace

    change_app(data, app, lambda now: replace(now, verify_root=state == "on"))
    click.echo(f"verification of / for {app} is {state}")
