"""Hosting options of apps and branches: named queries."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from preamp.model.hosting import AppHosting, BranchHosting
from preamp.store import documents
from preamp.store.tables import apps, branches


def get_app_hosting(conn: Connection, app_id: str) -> AppHosting | None:
    """None when there is no such app."""
    text = conn.scalar(select(apps.c.hosting).where(apps.c.app_id == app_id))
    return None if text is None else documents.decode(text, AppHosting)


def set_app_hosting(conn: Connection, app_id: str, options: AppHosting) -> None:
    """Record a change for the app in the same transaction."""
    conn.execute(update(apps).where(apps.c.app_id == app_id).values(hosting=documents.encode(options)))


def get_branch_hosting(conn: Connection, app_id: str, name: str) -> BranchHosting | None:
    """None when there is no such branch."""
    text = conn.scalar(select(branches.c.hosting).where(branches.c.app_id == app_id, branches.c.name == name))
    return None if text is None else documents.decode(text, BranchHosting)


def set_branch_hosting(conn: Connection, app_id: str, name: str, options: BranchHosting) -> None:
    """Record a change for the app in the same transaction."""
    conn.execute(
        update(branches)
        .where(branches.c.app_id == app_id, branches.c.name == name)
        .values(hosting=documents.encode(options))
    )
