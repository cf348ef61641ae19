"""`preamp secrets`: values that builds see and nobody else. Works on the data folder, server or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click

from preamp.cli.app_reference import app_id_of, branch_of
from preamp.cli.changing import changing
from preamp.cli.errors import CommandError
from preamp.cli.opened import opened
from preamp.cli.options import data_flag, json_flag, print_json

branch_flag = click.option("--branch", metavar="NAME", help="Only for this branch; it wins over the app's.")


@click.group()
def secrets() -> None:
    """Store, list and delete the secrets of an app's builds.

    They are encrypted in the data folder, masked in every log, and reach builds as the JSON
    variable `secrets`, from the next job on.
    """


@secrets.command("set")
@click.argument("app")
@click.argument("name")
@branch_flag
@click.option("--variable", is_flag=True, help="Also as a variable of that name.")
@click.option("--from", "file", type=click.File("r"), metavar="FILE", help="Read the value from a file.")
@data_flag
def set_(
    app: str,
    name: str,
    branch: str | None,
    variable: bool,
    file: IO[str] | None,
    data: Path | None,
) -> None:
    """Set secret NAME of APP (an id or a name).

    The value is asked for, or read from standard input or a file: on a command line everybody
    on the machine could read it. One line end at its end is dropped.
    """
    from preamp.model.secrets import EVERY_BRANCH, Secret, problem_of
    from preamp.model.times import now_ms
    from preamp.store.secrets import put_secret

    with changing(data) as it:
        app_id = app_id_of(it, app)
        place = EVERY_BRANCH if branch is None else branch_of(it, app_id, branch).name
        value = read_secret(f"Value of {name}", file)
        if problem := problem_of(name, value):
            raise CommandError(problem)
        secret = Secret(
            app_id=app_id, branch=place, name=name, value=value, as_variable=variable, updated_ms=now_ms()
        )
        with it.database.write() as tx:
            put_secret(tx.conn, it.master, secret)
    click.echo(f"{name} is set for {_place(branch)} of {app_id}")
    if len(value) < 6:
        click.echo("preamp: it is shorter than 6 characters, so logs cannot mask it", err=True)


@secrets.command("list")
@click.argument("app")
@data_flag
@json_flag
def list_(app: str, data: Path | None, as_json: bool) -> None:
    """List the secrets of APP, without their values."""
    from preamp.model.times import iso
    from preamp.store.secrets import list_secrets

    with opened(data) as it:
        app_id = app_id_of(it, app)
        with it.database.read() as conn:
            found = list_secrets(conn, it.master, app_id)
    rows = [
        {
            "name": secret.name,
            "branch": secret.branch or None,
            "variable": secret.as_variable,
            "updated": iso(secret.updated_ms),
        }
        for secret in found
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        kind = "variable" if row["variable"] else "json"
        click.echo(f"{row['updated']}  {kind:8}  {row['branch'] or '(every branch)':20}  {row['name']}")


@secrets.command("delete")
@click.argument("app")
@click.argument("name")
@branch_flag
@data_flag
def delete(app: str, name: str, branch: str | None, data: Path | None) -> None:
    """Delete secret NAME of APP."""
    from preamp.model.secrets import EVERY_BRANCH
    from preamp.store.secrets import delete_secret

    with changing(data) as it:
        app_id = app_id_of(it, app)
        with it.database.write() as tx:
            if not delete_secret(tx.conn, app_id, branch or EVERY_BRANCH, name):
                raise CommandError(f"{app_id} has no secret {name!r} for {_place(branch)}")
    click.echo(f"{name} is deleted for {_place(branch)} of {app_id}")


def read_secret(prompt: str, file: IO[str] | None) -> str:
    """From the file, the terminal without an echo, or standard input; without the last line end."""
    if file is not None:
        text = file.read()
    elif sys.stdin.isatty():
        text = str(click.prompt(prompt, hide_input=True))
    else:
        text = sys.stdin.read()
    return text.removesuffix("\n").removesuffix("\r")


def _place(branch: str | None) -> str:
    return "every branch" if branch is None else f"branch {branch}"
