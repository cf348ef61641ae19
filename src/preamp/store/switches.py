"""Switches: which release a branch was made to serve by hand, by whom, and when."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, insert, select

from preamp.model.switches import Switch, SwitchKind
from preamp.store.tables import switches


def insert_switch(conn: Connection, switch: Switch) -> None:
    conn.execute(
        insert(switches).values(
            branch_id=switch.branch_id,
            kind=switch.kind,
            from_job=switch.from_job,
            to_job=switch.to_job,
            source_branch=switch.source_branch,
            source_job=switch.source_job,
            actor=switch.actor,
            at_ms=switch.at_ms,
        )
    )


def list_switches(conn: Connection, branch_id: int, *, limit: int) -> list[Switch]:
    """Newest first."""
    rows = conn.execute(
        select(switches).where(switches.c.branch_id == branch_id).order_by(switches.c.seq.desc()).limit(limit)
    ).mappings()
    return [_switch(row) for row in rows]


def _switch(row: RowMapping) -> Switch:
    return Switch(
        branch_id=row["branch_id"],
        kind=SwitchKind(row["kind"]),
        from_job=row["from_job"],
        to_job=row["to_job"],
        source_branch=row["source_branch"],
        source_job=row["source_job"],
        actor=row["actor"],
        at_ms=row["at_ms"],
    )
