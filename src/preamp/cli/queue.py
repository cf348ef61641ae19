"""`preamp queue`: what runs, what waits, and for what."""

from __future__ import annotations

from pathlib import Path

import click

from preamp.cli.options import data_flag, json_flag, print_json


@click.group(invoke_without_command=True)
@click.option("--app", metavar="APP", help="Only jobs of this app, a name or an id.")
@data_flag
@json_flag
@click.pass_context
def queue(context: click.Context, app: str | None, data: Path | None, as_json: bool) -> None:
    """Show the unfinished jobs of all apps: what runs, what waits and for what.

    Waiting jobs are in the order in which they will start; apps take turns.
    """
    if context.invoked_subcommand is not None:
        context.obj = data
        return
    from preamp.cli.connection import find_endpoint
    from preamp.cli.remote import Remote

    remote = Remote(find_endpoint(data))
    parameters = [("app", remote.app(app).app_id)] if app else []
    found = remote.own("/_preamp/queue", parameters)["jobs"]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("nothing runs and nothing waits")
    for job in [] if as_json else found:
        place = "" if job["position"] is None else f"{job['position']}."
        name = f"{job['appName']} {job['branch']} job {job['jobId']}"
        rest = f"waits for {job['waitsFor']}" if job["waitsFor"] else job["status"].lower()
        click.echo(f"{place:>4} {name:40} {rest}, {job['seconds']} s")


@queue.command("supersede")
@click.argument("app")
@click.argument("state", type=click.Choice(["on", "off"]))
@data_flag
@click.pass_context
def supersede(context: click.Context, app: str, state: str, data: Path | None) -> None:
    """Let a newer push cancel the waiting pushes of its branch in APP, a name or an id.

    On, which is the default, only the newest of several pushes that wait is built. Jobs that
    the API started are never cancelled so.
    """
    from dataclasses import replace

    from preamp.cli.hosting import change_app

    change_app(data or context.obj, app, lambda now: replace(now, supersede_pushes=state == "on"))
    click.echo(f"superseding of waiting pushes of {app} is {state}")
