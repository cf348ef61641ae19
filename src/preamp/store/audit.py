"""The audit log: who changed what, when, and what came of it."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, insert, select

from preamp.model.audit import Entry
from preamp.store.tables import audit


def insert_entry(conn: Connection, entry: Entry) -> None:
    conn.execute(
        insert(audit).values(
            at_ms=entry.at_ms,
            account=entry.account,
            actor=entry.actor,
            operation=entry.operation,
            app_id=entry.app_id,
            target=entry.target,
            result=entry.result,
            request_id=entry.request_id,
        )
    )


def newest(conn: Connection, *, app_id: str | None, limit: int) -> list[Entry]:
    """Newest first; of one app or of everything."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if app_id is not None:
        query = query.where(audit.c.app_id == app_id)
    return [_entry(row) for row in conn.execute(query).mappings()]


def delete_before(conn: Connection, before_ms: int) -> int:
    """How many there were."""
    return conn.execute(delete(audit).where(audit.c.at_ms < before_ms)).rowcount


def _entry(row: RowMapping) -> Entry:
    return Entry(
        at_ms=row["at_ms"],
        account=row["account"],
        actor=row["actor"],
        operation=row["operation"],
        app_id=row["app_id"],
        target=row["target"],
        result=row["result"],
        request_id=row["request_id"],
    )
