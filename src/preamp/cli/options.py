"""Options that several commands share. A flag left out is None, so that the next source decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from preamp.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

FOLDER = click.Path(file_okay=False, path_type=Path)

_SETTINGS: dict[str, Callable[[F], F]] = {
    "data": click.option(
        "--data", type=FOLDER, metavar="DIR", help="Folder of everything Preamp keeps."
    ),
    "database": click.option(
        "--database", metavar="URL", help="postgresql://... for many machines; else a file in the folder."
    ),
    "blobs": click.option(
        "--blobs", metavar="URL", help="s3://bucket/prefix for many machines; else in the folder."
    ),
    "control": click.option(
        "--control", metavar="HOST:PORT", help="Where the API listens [127.0.0.1:7732]; port 0 picks one."
    ),
    "edge": click.option(
        "--edge", metavar="HOST:PORT", help="Where sites are served [127.0.0.1:7780]; port 0 picks one."
    ),
    "auth": click.option(
        "--auth", type=click.Choice(["keys", "any"]), help="Verify signatures, or accept any key."
    ),
    "site_domain": click.option(
        "--site-domain", metavar="DOMAIN", help="What follows {branch}.{appId}. in a site's host."
    ),
    "control_url": click.option(
        "--control-url", metavar="URL", help="The control port as clients see it, for presigned URLs."
    ),
    "worker_slots": click.option(
        "--worker-slots", type=int, metavar="N", help="Jobs that this worker runs at once."
    ),
    "control_processes": click.option(
        "--control-processes", type=int, metavar="N", help="Processes that share the API's port."
    ),
    "edge_processes": click.option(
        "--edge-processes", type=int, metavar="N", help="Processes that share the edge port."
    ),
    "drain_seconds": click.option(
        "--drain-seconds", type=float, metavar="S", help="How long running jobs may go on after SIGTERM."
    ),
    "insecure_no_sandbox": click.option(
        "--insecure-no-sandbox",
        is_flag=True,
        default=None,
        help="Build without isolation where the machine offers none.",
    ),
    "log_level": click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="Least severe messages that are printed.",
    ),
}  # fmt: skip


def settings_flags(*names: str) -> Callable[[F], F]:
    """Add the flags of these settings, in this order. Every flag is named as its setting."""

    def decorate(function: F) -> F:
        for name in reversed(names):
            function = _SETTINGS[name](function)
        return function

    return decorate


data_flag = settings_flags("data")
# Not from the enum: its module would be loaded for each command.
PLATFORM = click.Choice(["WEB", "WEB_COMPUTE"])
platform_flag = click.option(
    "--platform",
    type=PLATFORM,
    default="WEB",
    help="As the app's: WEB_COMPUTE builds what needs a server.",
)
json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def load_settings(**flags: Any) -> Settings:
    """Flags over environment over file over defaults. Raises SettingsError."""
    from preamp.settings import load

    return load(**flags)


def print_json(value: Any) -> None:
    import json

    click.echo(json.dumps(value, indent=2))
