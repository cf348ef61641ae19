"""`preamp keys`: who may call. Works on the data folder, whether a server runs on it or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.changing import changing
from preamp.cli.errors import CommandError
from preamp.cli.opened import Opened, opened
from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from sqlalchemy import Connection


_USER_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
"""What IAM allows; the name is part of the caller's ARN."""


@click.group(no_args_is_help=True)
def keys() -> None:
    """Create, list, disable, enable and delete access keys."""


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
    with changing(data) as it, it.database.write() as tx:
        account = it.settings.account_id
        key = create_key(tx.conn, it.master, account=account, name=name, policy=text, now=now_ms())
        it.told["accessKeyId"] = key.access_key_id
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

    with opened(data) as it, it.database.read() as conn:
        found = list_keys(conn, it.master)
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


force_flag = click.option(
    "--force", is_flag=True, help="Also when no enabled administrator key is left then."
)


@keys.command("disable")
@click.argument("access_key_id")
@data_flag
@force_flag
def disable(access_key_id: str, data: Path | None, force: bool) -> None:
    """Refuse a key from now on, without forgetting it."""
    from preamp.store.keys import set_enabled

    with changing(data) as it, it.database.write() as tx:
        _spare_last_administrator(it, tx.conn, access_key_id, force=force)
        if not set_enabled(tx.conn, access_key_id, enabled=False):
            raise _unknown(access_key_id)
    click.echo(f"{access_key_id} is disabled")


@keys.command("enable")
@click.argument("access_key_id")
@data_flag
def enable(access_key_id: str, data: Path | None) -> None:
    """Accept a disabled key again."""
    from preamp.store.keys import set_enabled

    with changing(data) as it, it.database.write() as tx:
        if not set_enabled(tx.conn, access_key_id, enabled=True):
            raise _unknown(access_key_id)
    click.echo(f"{access_key_id} is enabled")


@keys.command("delete")
@click.argument("access_key_id")
@data_flag
@force_flag
def delete(access_key_id: str, data: Path | None, force: bool) -> None:
    """Forget a key for good."""
    from preamp.store.keys import delete_key

    with changing(data) as it, it.database.write() as tx:
        _spare_last_administrator(it, tx.conn, access_key_id, force=force)
        if not delete_key(tx.conn, access_key_id):
            raise _unknown(access_key_id)
    click.echo(f"{access_key_id} is deleted")


def _spare_last_administrator(it: Opened, conn: Connection, access_key_id: str, *, force: bool) -> None:
    """`preamp env` and the commands work with an administrator's key; losing the last is rarely meant."""
    from preamp.store.keys import list_keys

    administrators = [
        key.access_key_id for key in list_keys(conn, it.master) if key.enabled and key.policy is None
    ]
    if administrators == [access_key_id] and not force:
        raise CommandError(
            f"{access_key_id} is the last enabled administrator key, which `preamp env` and the other "
            "commands use; make another with `preamp keys create NAME` first, or add --force"
        )


def _unknown(access_key_id: str) -> CommandError:
    return CommandError(f"there is no key {access_key_id}; `preamp keys list` shows all")


def _policy(file: Path) -> str:
    """The text of a policy that the server will understand."""
    from preamp.aws.policies import PolicyError, parse_policy

    try:
        text = file.read_text("utf-8")
        parse_policy(text)
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: byte {error.start} is not UTF-8") from error
    except PolicyError as error:
        raise CommandError(f"{file}: {error}") from error
    return text
