"""`preamp quotas`: how much an account may have. Works on the data folder, at once, server or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.changing import changing
from preamp.cli.errors import CommandError
from preamp.cli.opened import Opened, opened
from preamp.cli.options import data_flag, json_flag, print_json

if TYPE_CHECKING:
    from preamp.model.caller import Scope
    from preamp.model.quotas import Quota

UNLIMITED = "unlimited"
DEFAULT = "default"

account_flag = click.option(
    "--account", metavar="ID", help="Twelve digits; without it the account of the settings."
)
region_flag = click.option("--region", metavar="REGION", help="Without it the region of the settings.")


@click.group(invoke_without_command=True)
@data_flag
@account_flag
@region_flag
@json_flag
@click.pass_context
def quotas(
    context: click.Context, data: Path | None, account: str | None, region: str | None, as_json: bool
) -> None:
    """Show the quotas of an account and region, or set one.

    A request that would go over a quota is answered with LimitExceededException.
    """
    if context.invoked_subcommand is not None:
        # `preamp quotas --data DIR set ...` means the same as with the options at the end.
        context.obj = (data, account, region)
        return
    from preamp.model.quotas import Quota
    from preamp.store.quotas import changed

    with opened(data) as it, it.database.read() as conn:
        limits = changed(conn, _scope(it, account, region))
    rows = [
        {
            "name": quota.value,
            "value": limits.get(quota, _default(it, quota)),
            "default": _default(it, quota),
            "changed": quota in limits,
        }
        for quota in Quota
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        note = f"  (default {_shown(row['default'])})" if row["changed"] else ""
        click.echo(f"{row['name']:24}{_shown(row['value']):>12}{note}")


@quotas.command("set")
@click.argument("name")
@click.argument("value")
@data_flag
@account_flag
@region_flag
@click.pass_context
def set_(
    context: click.Context,
    name: str,
    value: str,
    data: Path | None,
    account: str | None,
    region: str | None,
) -> None:
    """Set the quota NAME to VALUE: a number, `unlimited` or `default`.

    It holds from the next request on; what is there already stays.
    """
    from preamp.store.quotas import reset, set_limit

    outer = context.obj or (None, None, None)
    quota = _quota(name)
    with changing(data or outer[0]) as it:
        scope = _scope(it, account or outer[1], region or outer[2])
        it.told.update(account=scope.account, region=scope.region)
        if value == DEFAULT:
            limit = _default(it, quota)
            with it.database.write() as tx:
                reset(tx.conn, scope, quota)
        else:
            limit = _limit(quota, value)
            with it.database.write() as tx:
                set_limit(tx.conn, scope, quota, limit)
    click.echo(f"{quota} is {_shown(limit)} for account {scope.account} in {scope.region}")


def _quota(name: str) -> Quota:
    from preamp.model.quotas import Quota

    try:
        return Quota(name)
    except ValueError:
        raise CommandError(f"there is no quota {name!r}; there are {', '.join(Quota)}") from None


def _limit(quota: Quota, text: str) -> int | None:
    from preamp.model.quotas import MAX_QUOTA, Quota

    if text == UNLIMITED:
        return None
    least = 1 if quota is Quota.CONCURRENT_JOBS else 0
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
    if not least <= number <= MAX_QUOTA:
        raise CommandError(
            f"{text!r} is no value of {quota}: a number from {least} to {MAX_QUOTA}, `{UNLIMITED}` or "
            f"`{DEFAULT}`"
        )
    return number


def _default(it: Opened, quota: Quota) -> int | None:
    from preamp.model.quotas import DEFAULTS, Quota

    return it.settings.concurrent_jobs if quota is Quota.CONCURRENT_JOBS else DEFAULTS[quota]


def _scope(it: Opened, account: str | None, region: str | None) -> Scope:
    from preamp.model.caller import Scope

    account = account or it.settings.account_id
    if not (account.isascii() and account.isdigit() and len(account) == 12):
        raise CommandError(f"{account!r} is no account id: it has twelve digits")
    return Scope(account=account, region=region or it.settings.region)


def _shown(value: object) -> str:
    return UNLIMITED if value is None else str(value)
