"""`preamp audit`: who changed what, when, and what came of it."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.options import data_flag, json_flag, print_json


@click.command()
@click.option("--app", metavar="APP", help="Only calls about this app, an id; deleted ones too.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many.")
@data_flag
@json_flag
def audit(app: str | None, limit: int, data: Path | None, as_json: bool) -> None:
    """Show the calls that were to change something, newest first.

    Calls of the API and of webhooks, and commands that work on the data folder; refused ones are
    among them. Works on the data folder, whether a server runs on it or not;
    the setting keep_audit_days says how long entries are kept.
    """
    from dataclasses import asdict

    from preamp.cli.opened import opened
    from preamp.model.times import iso
    from preamp.store.audit import newest

    with opened(data) as it, it.database.read() as conn:
        entries = newest(conn, app_id=app, limit=limit)
    if as_json:
        print_json([{**asdict(entry), "at": iso(entry.at_ms)} for entry in entries])
        return
    for entry in entries:
        about = " ".join(part for part in (entry.app_id, entry.target) if part)
        click.echo(f"{iso(entry.at_ms)}  {entry.actor}  {entry.operation}  {about}  {entry.result}")
