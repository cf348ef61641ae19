"""`preamp access`: which addresses may visit an app or a branch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.app_reference import app_id_of, branch_of
from preamp.cli.errors import CommandError
from preamp.cli.hosting import change_app, change_branch
from preamp.cli.opened import opened
from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from preamp.model.hosting import AccessList

branch_flag = click.option("--branch", metavar="NAME", help="Only this branch, beside the app's own list.")


@click.group(no_args_is_help=True)
def access() -> None:
    """Allow and deny visitors by their address."""


@access.command("allow")
@click.argument("app")
@click.argument("networks", nargs=-1, required=True)
@branch_flag
@data_flag
def allow(app: str, networks: tuple[str, ...], branch: str | None, data: Path | None) -> None:
    """Let only the NETWORKS of the list visit APP, a name or an id; others get 403.

    NETWORKS are addresses or such as 192.0.2.0/24. With lists of the app and of a branch a
    visitor has to pass both.
    """
    wanted = _networks(networks)

    def change(now: AccessList) -> AccessList:
        from dataclasses import replace

        return replace(now, allow=_united(now.allow, wanted))

    _change(data, app, branch, change)
    click.echo(f"allowed: {', '.join(wanted)}")


@access.command("deny")
@click.argument("app")
@click.argument("networks", nargs=-1, required=True)
@branch_flag
@data_flag
def deny(app: str, networks: tuple[str, ...], branch: str | None, data: Path | None) -> None:
    """Keep NETWORKS out of APP, also when they are allowed too."""
    wanted = _networks(networks)

    def change(now: AccessList) -> AccessList:
        from dataclasses import replace

        return replace(now, deny=_united(now.deny, wanted))

    _change(data, app, branch, change)
    click.echo(f"denied: {', '.join(wanted)}")


@access.command("forget")
@click.argument("app")
@click.argument("networks", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Empty both lists: everybody may visit.")
@branch_flag
@data_flag
def forget(
    app: str, networks: tuple[str, ...], everything: bool, branch: str | None, data: Path | None
) -> None:
    """Take NETWORKS off both lists."""
    if bool(networks) is everything:
        raise CommandError("name the networks to forget, or give --all")
    gone = set(_networks(networks))
    missing: list[str] = []

    def change(now: AccessList) -> AccessList:
        from preamp.model.hosting import AccessList

        missing.extend(sorted(gone - {*now.allow, *now.deny}))
        if everything:
            return AccessList()
        return AccessList(
            allow=tuple(item for item in now.allow if item not in gone),
            deny=tuple(item for item in now.deny if item not in gone),
        )

    _change(data, app, branch, change)
    if missing:
        raise CommandError(f"not on a list: {', '.join(missing)}; the others were taken off")
    click.echo("done")


@access.command("list")
@click.argument("app")
@branch_flag
@data_flag
@json_flag
def list_(app: str, branch: str | None, data: Path | None, as_json: bool) -> None:
    """Show the lists of APP, or of one of its branches."""
    from preamp.store.hosting_options import get_app_hosting, get_branch_hosting

    with opened(data) as it:
        app_id = app_id_of(it, app)
        with it.database.read() as conn:
            options = (
                get_app_hosting(conn, app_id)
                if branch is None
                else get_branch_hosting(conn, app_id, branch_of(it, app_id, branch).name)
            )
    assert options is not None, "an app or branch that was found a moment ago"
    found = options.access
    if as_json:
        print_json({"allow": list(found.allow), "deny": list(found.deny)})
        return
    if not found.allow and not found.deny:
        click.echo("everybody may visit")
    for kind, items in (("allow", found.allow), ("deny", found.deny)):
        for item in items:
            click.echo(f"{kind:5}  {item}")


def _change(
    data: Path | None, app: str, branch: str | None, change: Callable[[AccessList], AccessList]
) -> None:
    from dataclasses import replace

    if branch is None:
        change_app(data, app, lambda now: replace(now, access=_bounded(change(now.access))))
    else:
        change_branch(data, app, branch, lambda now: replace(now, access=_bounded(change(now.access))))


def _bounded(found: AccessList) -> AccessList:
    from preamp.model.hosting import MOST_NETWORKS

    if max(len(found.allow), len(found.deny)) > MOST_NETWORKS:
        raise CommandError(f"a list holds at most {MOST_NETWORKS} networks; nothing was changed")
    return found


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    from preamp.model.hosting import parse_network

    try:
        return tuple(str(parse_network(text)) for text in texts)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _united(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *more)))
