"""Quotas: what was changed from the defaults, and the count of app creations."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from preamp.model.caller import Scope
from preamp.model.quotas import Quota
from preamp.store.tables import app_creations, quotas

HOUR_MS = 3_600_000


def limit_of(conn: Connection, scope: Scope, quota: Quota, *, default: int | None) -> int | None:
    """None: no limit."""
    row = conn.execute(select(quotas.c.value).where(_is(scope, quota))).first()
    return default if row is None else row[0]


def changed(conn: Connection, scope: Scope) -> Mapping[str, int | None]:
    """The quotas that are not at their defaults, by name."""
    rows = conn.execute(
        select(quotas.c.name, quotas.c.value).where(
            quotas.c.account == scope.account, quotas.c.region == scope.region
        )
    )
    return {row[0]: row[1] for row in rows}


def set_limit(conn: Connection, scope: Scope, quota: Quota, value: int | None) -> None:
    """None: no limit."""
    reset(conn, scope, quota)
    conn.execute(
        insert(quotas).values(account=scope.account, region=scope.region, name=quota.value, value=value)
    )


def reset(conn: Connection, scope: Scope, quota: Quota) -> None:
    """Back to the default."""
    conn.execute(delete(quotas).where(_is(scope, quota)))


def note_app_creation(conn: Connection, scope: Scope, *, now: int) -> None:
    """Count one; those that are older than an hour are forgotten."""
    conn.execute(delete(app_creations).where(_creations(scope), app_creations.c.at_ms <= now - HOUR_MS))
    conn.execute(insert(app_creations).values(account=scope.account, region=scope.region, at_ms=now))


def app_creations_since(conn: Connection, scope: Scope, since_ms: int) -> int:
    query = select(func.count()).select_from(app_creations)
    return conn.scalar(query.where(_creations(scope), app_creations.c.at_ms > since_ms)) or 0


def _is(scope: Scope, quota: Quota) -> ColumnElement[bool]:
    return (
        (quotas.c.account == scope.account)
        & (quotas.c.region == scope.region)
        & (quotas.c.name == quota.value)
    )


def _creations(scope: Scope) -> ColumnElement[bool]:
    return (app_creations.c.account == scope.account) & (app_creations.c.region == scope.region)
