"""Changing hosting options in a data folder, whether a server runs on it or not; edges see it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from preamp.cli.app_reference import app_id_of, branch_of
from preamp.cli.changing import changing

if TYPE_CHECKING:
    from preamp.model.hosting import AppHosting, BranchHosting


def change_app(data: Path | None, app: str, change: Callable[[AppHosting], AppHosting]) -> str:
    """`app` is a name or an id; the id is returned. Raises CommandError."""
    from preamp.model.times import now_ms
    from preamp.store import changes
    from preamp.store.hosting_options import get_app_hosting, set_app_hosting

    with changing(data) as it:
        app_id = app_id_of(it, app)
        with it.database.write() as tx:
            found = get_app_hosting(tx.conn, app_id)
            assert found is not None, "an app that was found a moment ago"
            set_app_hosting(tx.conn, app_id, change(found))
            changes.record(tx, app_id, now=now_ms())
    return app_id


def change_branch(
    data: Path | None, app: str, branch: str, change: Callable[[BranchHosting], BranchHosting]
) -> str:
    """`app` is a name or an id; the id is returned. Raises CommandError."""
    from preamp.model.times import now_ms
    from preamp.store import changes
    from preamp.store.hosting_options import get_branch_hosting, set_branch_hosting

    with changing(data) as it:
        app_id = app_id_of(it, app)
        branch_of(it, app_id, branch)
        with it.database.write() as tx:
            found = get_branch_hosting(tx.conn, app_id, branch)
            assert found is not None, "a branch that was found a moment ago"
            set_branch_hosting(tx.conn, app_id, branch, change(found))
            changes.record(tx, app_id, now=now_ms())
    return app_id
