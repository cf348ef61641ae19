"""The `preamp` command.

Modules of commands import nothing but Click at their top, so that help and completion come at once;
whatever a command needs it imports when it runs.
"""

from __future__ import annotations

from typing import Any

import click

from preamp.cli.access import access
from preamp.cli.assets import assets
from preamp.cli.audit import audit
from preamp.cli.backup import backup, restore
from preamp.cli.build import build
from preamp.cli.cache import cache
from preamp.cli.completion import completion
from preamp.cli.compute import compute
from preamp.cli.credentials import credentials
from preamp.cli.deploy import deploy
from preamp.cli.doctor import doctor
from preamp.cli.domains import domains
from preamp.cli.env import env
from preamp.cli.errors import explained
from preamp.cli.explain import explain
from preamp.cli.gc import gc
from preamp.cli.images import images
from preamp.cli.jobs import jobs
from preamp.cli.keys import keys
from preamp.cli.logs import logs
from preamp.cli.maintenance import maintenance
from preamp.cli.processes import control, edge, worker
from preamp.cli.queue import queue
from preamp.cli.quotas import quotas
from preamp.cli.rollback import promote, rollback
from preamp.cli.secrets import secrets
from preamp.cli.serve import serve
from preamp.cli.spec import spec
from preamp.cli.version import version

HELP_WIDTH = 90
"""Fixed, so that docs/cli.md can hold the very text that the program prints."""


class CommandGroup(click.Group):
    """Lists commands in the order a newcomer needs them and explains known errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            known = explained(error)
            if known is None:
                raise
            raise known from error


@click.group(
    cls=CommandGroup,
    context_settings={"terminal_width": HELP_WIDTH, "help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@click.version_option(None, "--version", package_name="preamp", message="preamp %(version)s")
def preamp() -> None:
    """AWS Amplify Hosting on your own machine: the same API, real builds, real hosting.

    Start with `preamp serve` in one terminal and `preamp deploy FOLDER` in another. Exit
    status: 0 done, 1 the job or the server failed, 2 wrong use or wrong configuration.
    """


for command in (
    serve,
    deploy,
    jobs,
    queue,
    logs,
    rollback,
    promote,
    env,
    keys,
    quotas,
    domains,
    secrets,
    credentials,
    access,
    maintenance,
    assets,
    explain,
    build,
    spec,
    cache,
    images,
    doctor,
    gc,
    backup,
    restore,
    audit,
    control,
    worker,
    edge,
    compute,
    version,
    completion,
):
    preamp.add_command(command)


def main() -> None:
    """The entry point of the installed program."""
    preamp(prog_name="preamp")
