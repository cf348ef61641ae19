"""A data folder opened by a command that changes something: the audit log tells of it, like of calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from preamp.cli.opened import opened

if TYPE_CHECKING:
    from preamp.cli.opened import Opened

_NOT_ABOUT = {"app", "data", "as_json"}


@contextmanager
def changing(data: Path | None) -> Iterator[Opened]:
    """`opened`, and one entry in the audit log when the block has ended, failed or not.

    The entry has the running command's arguments. Values of secrets are never among them: commands ask for
    these or read them from files.
    """
    with opened(data) as it:
        result = ""
        try:
            yield it
        except BaseException as error:  # Ctrl-C and a full disk are outcomes too
            result = _name(error)
            raise
        finally:
            _record(it, result)


def _record(it: Opened, result: str) -> None:
    from preamp.model.audit import DONE, MAX_TARGET, Entry
    from preamp.model.errors import DependentServiceFailure
    from preamp.model.times import now_ms
    from preamp.store.audit import insert_entry
    from preamp.store.database import NOTHING

    context = click.get_current_context()
    try:
        app_id, unknown = _app(it, context)
        about = {**unknown, **_arguments(context), **it.told}
        entry = Entry(
            at_ms=now_ms(),
            account=None,
            actor=_actor(),
            operation=context.command_path,
            app_id=app_id,
            target=" ".join(f"{name}={value}" for name, value in about.items())[:MAX_TARGET],
            result=result or DONE,
            request_id="",
        )
        with it.database.write(NOTHING) as tx:
            insert_entry(tx.conn, entry)
    except DependentServiceFailure as error:
        # What the command did or why it failed is the news; this must not hide it.
        click.echo(f"preamp: the audit log has no entry about this: {error}", err=True)


def _name(error: BaseException) -> str:
    from preamp.model.errors import AmplifyError

    return error.code if isinstance(error, AmplifyError) else type(error).__name__


def _app(it: Opened, context: click.Context) -> tuple[str | None, dict[str, str]]:
    """The id of the app that the command names, or the name as given when there is no such app."""
    from preamp.store.apps import find_by_id_or_name

    reference = context.params.get("app")
    if not isinstance(reference, str):
        return None, {}
    with it.database.read() as conn:
        found = find_by_id_or_name(conn, reference)
    return (found[0][0], {}) if len(found) == 1 else (None, {"app": reference})


def _arguments(context: click.Context) -> dict[str, str]:
    """Those that were given; of open files nothing but that they were."""
    names = [parameter.name or "" for parameter in context.command.params]
    given = {name: context.params.get(name) for name in names if name not in _NOT_ABOUT}
    return {name: _shown(value) for name, value in given.items() if value not in (None, False, ())}


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_shown(item) for item in value)
    return str(value) if isinstance(value, str | int | Path) else "given"


def _actor() -> str:
    """`cli:user@machine`. The user that the process has: variables can say anything."""
    import os
    import pwd
    import socket

    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's made-up user
        user = str(uid)
    return f"cli:{user}@{socket.gethostname()}"
