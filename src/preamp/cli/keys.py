"""`preamp keys`: who may call. Works on the data folder, whether a server runs on it or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.errors import CommandError
from preamp.cli.options import data_flag, json_flag, load_settings, print_json

if TYPE_CHECKING:
    from preamp.store.database import Database
    from preamp.store.sealing import MasterKey


_USER_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
"""What IAM allows; the name is part of the caller's ARN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Store:
    database: Database
    master: MasterKey
    account: str


@click.group(no_args_is_help=True)
def keys() -> None:
    """Create, list, disable and delete access keys."""


@keys.command("create")
@click.argument("name")
@data_flag
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="IAM-style JSON policy; without it the key may do everything.",
)
@json_flag
def create(name: str, data: Path | None, policy: Path | None, as_json: bool) -> None:
    """Make a key for the user NAME and print it with its secret."""
    from preamp.model.times import now_ms
    from preamp.store.keys import create_key

    if not _USER_NAME.fullmatch(name):
        raise CommandError(f"{name!r} is no user name: 1 to 64 letters, digits, or any of _+=,.@-")
    text = _policy(policy) if policy else None
    with _open(data) as store, store.database.write() as tx:
        key = create_key(tx.conn, store.master, account=store.account, name=name, policy=text, now=now_ms())
    if as_json:
        print_json({"accessKeyId": key.access_key_id, "secretAccessKey": key.secret, "name": key.name})
    else:
        click.echo(f"AWS_ACCESS_KEY_ID={key.access_key_id}\nAWS_SECRET_ACCESS_KEY={key.secret}")


@keys.command("list")
@data_flag
@json_flag
def list_(data: Path | None, as_json: bool) -> None:
    """List the keys, oldest first, without their secrets."""
    from preamp.model.times import iso
    from preamp.store.keys import list_keys

    with _open(data) as store, store.database.read() as conn:
        found = list_keys(conn, store.master)
    rows = [
        {
            "accessKeyId": key.access_key_id,
            "name": key.name,
            "account": key.account,
            "enabled": key.enabled,
            "administrator": key.policy is None,
            "created": iso(key.created_ms),
        }
        for key in found
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        rights = "administrator" if row["administrator"] else "policy"
        state = "enabled" if row["enabled"] else "disabled"
        click.echo(f"{row['accessKeyId']}  {row['created']}  {state:8}  {rights:13}  {row['name']}")


@keys.command("disable")
@click.argument("access_key_id")
@data_flag
@click.option("--undo", is_flag=True, help="Enable it again.")
def disable(access_key_id: str, data: Path | None, undo: bool) -> None:
    """Refuse a key from now on, without forgetting it."""
    from preamp.store.keys import set_enabled

    with _open(data) as store, store.database.write() as tx:
        if not set_enabled(tx.conn, access_key_id, enabled=undo):
            raise _unknown(access_key_id)
    click.echo(f"{access_key_id} is {'enabled' if undo else 'disabled'}")


@keys.command("delete")
@click.argument("access_key_id")
@data_flag
def delete(access_key_id: str, data: Path | None) -> None:
    """Forget a key for good."""
    from preamp.store.keys import delete_key

    with _open(data) as store, store.database.write() as tx:
        if not delete_key(tx.conn, access_key_id):
            raise _unknown(access_key_id)
    click.echo(f"{access_key_id} is deleted")


def _unknown(access_key_id: str) -> CommandError:
    return CommandError(f"there is no key {access_key_id}; `preamp keys list` shows all")


def _policy(file: Path) -> str:
    """The text of a policy that the server will understand."""
    from preamp.aws.policies import PolicyError, parse_policy

    text = file.read_text("utf-8")
    try:
        parse_policy(text)
    except PolicyError as error:
        raise CommandError(f"{file}: {error}") from error
    return text


@contextmanager
def _open(data: Path | None) -> Iterator[_Store]:
    """The data folder's keys; the folder is made when missing, so that keys can be made beforehand."""
    from preamp.store.database import open_sqlite
    from preamp.store.folder import DataFolder
    from preamp.store.migrate import upgrade
    from preamp.store.sealing import MasterKey

    settings = load_settings(data=data)
    folder = DataFolder(settings.data)
    folder.make()
    database = open_sqlite(folder.database)
    try:
        upgrade(database)
        yield _Store(database=database, master=MasterKey.load(folder.master_key), account=settings.account_id)
    finally:
        database.close()
