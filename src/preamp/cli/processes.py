"""`preamp control`, `preamp worker`, `preamp edge`: one of the processes of `serve` alone."""

from __future__ import annotations

from typing import Any

import click

from preamp.cli.options import load_settings, settings_flags


@click.command()
@settings_flags("data", "control", "auth", "site_domain", "control_url", "log_level")
def control(**flags: Any) -> None:
    """Run only the API and the presigned files."""
    settings = load_settings(**flags)
    from preamp.server.control import main

    raise SystemExit(main(settings))


@click.command()
@settings_flags("data", "worker_slots", "drain_seconds", "insecure_no_sandbox", "log_level")
def worker(**flags: Any) -> None:
    """Run only a worker: it builds and publishes what the API has accepted."""
    settings = load_settings(**flags)
    from preamp.server.worker import main

    raise SystemExit(main(settings))


@click.command()
@settings_flags("data", "edge", "site_domain", "edge_processes", "log_level")
def edge(**flags: Any) -> None:
    """Run only the sites; it goes on serving when everything else is down."""
    settings = load_settings(**flags)
    from preamp.server.edge import main

    raise SystemExit(main(settings))
