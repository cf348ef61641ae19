"""The change log that edges follow: a row says "what app X answers may be different now"."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from preamp.store.database import Write
from preamp.store.tables import changes

KEPT_MS = 24 * 3600 * 1000
"""An edge that was away for longer reloads everything."""


def record(tx: Write, app_id: str, *, now: int) -> None:
    """Part of the transaction that makes the change, so that no edge sees one without the other."""
    # Edges go by the numbers: a lower one must not appear after they have seen a higher one.
    tx.hold_changes()
    sequence = tx.conn.scalar(insert(changes).values(app_id=app_id, at_ms=now).returning(changes.c.seq))
    assert sequence is not None, "an inserted row has a number"
    tx.ring_after_commit(sequence)


def latest(conn: Connection) -> int:
    """The newest sequence number, 0 when nothing ever changed."""
    return conn.scalar(select(func.max(changes.c.seq))) or 0


def since(conn: Connection, seq: int) -> list[tuple[int, str]]:
    """(sequence number, app id) of all changes after `seq`, oldest first."""
    rows = conn.execute(
        select(changes.c.seq, changes.c.app_id).where(changes.c.seq > seq).order_by(changes.c.seq)
    )
    return [(row[0], row[1]) for row in rows]


def prune(conn: Connection, *, now: int) -> None:
    """Forget old changes but never the newest one, which keeps the counter known."""
    conn.execute(delete(changes).where(changes.c.at_ms < now - KEPT_MS, changes.c.seq < latest(conn)))
