"""`preamp control`, `preamp worker`, `preamp edge`: one of the processes of `serve` alone."""

from __future__ import annotations

from typing import Any

import click

from preamp.cli.options import load_settings, settings_flags


@click.command()
@settings_flags("data", "database", "blobs", "control", "auth", "site_domain", "control_url", "log_level")
def control(**flags: Any) -> None:
    """Run only the API and the presigned files."""
    run("control", flags)


@click.command()
@settings_flags(
    "data", "database", "blobs", "worker_slots", "drain_seconds", "insecure_no_sandbox", "log_level"
)
def worker(**flags: Any) -> None:
    """Run only a worker: it builds and publishes what the API has accepted."""
    run("worker", flags)


@click.command()
@settings_flags("data", "database", "blobs", "edge", "site_domain", "edge_processes", "log_level")
def edge(**flags: Any) -> None:
    """Run only the sites; it goes on serving when everything else is down."""
    run("edge", flags)


def run(role: str, flags: dict[str, Any]) -> None:
    """Does not return: ends the program with the process's status."""
    settings = load_settings(**flags)
    from preamp.server.alone import run_alone
    from preamp.server.roles import Role

    raise SystemExit(run_alone(settings, Role(role)))
