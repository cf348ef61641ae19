"""`preamp cache`: what builds keep for the next build of their branch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.app_reference import app_id_of
from preamp.cli.changing import changing
from preamp.cli.opened import opened
from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from preamp.cli.opened import Opened

LOCAL = "local"
"""What the app ids of `preamp build` begin with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    app_id: str
    branch: str | None
    """None: of a branch that is gone."""
    size: int
    used_ms: int


@click.group()
def cache() -> None:
    """Show and clear the build caches."""


@cache.command("list")
@data_flag
@json_flag
def list_(data: Path | None, as_json: bool) -> None:
    """List the caches: when they were saved, their size, app and branch."""
    from preamp.model.times import iso

    with opened(data) as it:
        entries = sorted(_entries(it), key=lambda entry: -entry.size)
    if as_json:
        print_json(
            [
                {
                    "appId": entry.app_id,
                    "branch": entry.branch,
                    "bytes": entry.size,
                    "saved": iso(entry.used_ms),
                }
                for entry in entries
            ]
        )
        return
    for entry in entries:
        size = f"{entry.size / 1_000_000:,.1f} MB"
        click.echo(f"{iso(entry.used_ms)}  {size:>12}  {entry.app_id}  {entry.branch or '(deleted branch)'}")
    click.echo(f"{sum(entry.size for entry in entries) / 1_000_000:,.1f} MB in {len(entries)} caches")


@cache.command("clear")
@click.argument("app", required=False)
@click.option("--branch", metavar="NAME", help="Only of this branch.")
@data_flag
def clear(app: str | None, branch: str | None, data: Path | None) -> None:
    """Delete the caches of APP (an id, a name, or `local`); without APP all of them.

    A build that runs keeps what it has already unpacked, and saves its cache anew when it ends.
    """
    from preamp.build.cache import clear as clear_caches
    from preamp.store.folder import DataFolder

    if app is None and branch is not None:
        raise click.UsageError("--branch needs APP")
    with changing(data) as it:
        folder = DataFolder(it.settings.data).cache
        if app is None or app == LOCAL:
            app_ids = [path.name for path in _apps(folder) if path.name.startswith(app or "")]
        else:
            app_ids = [app_id_of(it, app)]
        freed = sum(clear_caches(folder, app_id, branch) for app_id in app_ids)
    click.echo(f"{freed / 1_000_000:,.1f} MB freed")


def _entries(it: Opened) -> Iterator[_Entry]:
    from preamp.build.cache import branch_folder
    from preamp.build.snapshots import snapshots_below
    from preamp.store.branches import branches_of_apps
    from preamp.store.folder import DataFolder

    root = DataFolder(it.settings.data).cache
    apps = sorted(path.name for path in _apps(root))
    with it.database.read() as conn:
        known = branches_of_apps(conn, apps)
    names = {branch_folder(root, branch.app_id, branch.name): branch.name for branch in known}
    for app_id in apps:
        for folder in sorted((root / app_id).iterdir()):
            files = [path.stat() for path in folder.iterdir() if path.is_file()]
            if files:
                yield _Entry(
                    app_id=app_id,
                    branch=names.get(folder),
                    size=sum(facts.st_size for facts in files)
                    + sum(snapshot.size for snapshot in snapshots_below(root, folder)),
                    used_ms=int(max(facts.st_mtime for facts in files) * 1000),
                )


def _apps(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
