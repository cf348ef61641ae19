"""`preamp serve`: the whole of Preamp in one command."""

from __future__ import annotations

from typing import Any

import click

from preamp.cli.options import load_settings, settings_flags


@click.command()
@settings_flags(
    "data",
    "database",
    "blobs",
    "control",
    "edge",
    "auth",
    "site_domain",
    "control_url",
    "worker_slots",
    "control_processes",
    "edge_processes",
    "drain_seconds",
    "insecure_no_sandbox",
    "log_level",
)
def serve(**flags: Any) -> None:
    """Run the API, the worker and the sites until Ctrl-C.

    Prints the URLs when everything listens. SIGTERM gives running jobs a grace time and
    then hands them back; the next start resumes them. Every other setting: PREAMP_* in the
    environment, or preamp.toml in the data folder (docs/settings.md).
    """
    settings = load_settings(**flags)
    from preamp.server.serve import main

    raise SystemExit(main(settings))
