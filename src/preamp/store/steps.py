"""Steps of a job's newest attempt. Their log and artifacts are files, named by `LogFolder`."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from preamp.model.jobs import Attempt, Step, StepName, StepStatus
from preamp.store.tables import steps

_ORDER = tuple(StepName)


def start_step(conn: Connection, attempt: Attempt, name: StepName, *, context: str | None, now: int) -> None:
    conn.execute(
        insert(steps).values(
            branch_id=attempt.branch_id,
            number=attempt.number,
            position=_ORDER.index(name),
            name=name,
            attempt=attempt.attempt,
            status=StepStatus.RUNNING,
            started_ms=now,
            context=context,
        )
    )


def end_step(
    conn: Connection,
    attempt: Attempt,
    name: StepName,
    status: StepStatus,
    *,
    status_reason: str | None = None,
    context: str | None = None,
    now: int,
) -> None:
    values: dict[str, object] = {
        "status": status,
        "ended_ms": now,
        "status_reason": status_reason,
    }
    if context is not None:
        values["context"] = context
    conn.execute(
        update(steps)
        .where(
            steps.c.branch_id == attempt.branch_id,
            steps.c.number == attempt.number,
            steps.c.position == _ORDER.index(name),
            steps.c.attempt == attempt.attempt,
        )
        .values(**values)
    )


def end_open_steps(
    conn: Connection, attempt: Attempt, status: StepStatus, *, status_reason: str | None, now: int
) -> None:
    """Whatever still runs when the attempt ends, ends with it."""
    conn.execute(
        update(steps)
        .where(
            steps.c.branch_id == attempt.branch_id,
            steps.c.number == attempt.number,
            steps.c.ended_ms.is_(None),
        )
        .values(status=status, ended_ms=now, status_reason=status_reason)
    )


def list_steps(conn: Connection, branch_id: int, number: int) -> list[tuple[int, Step]]:
    """(attempt, step) in the order they run; the attempt names the log."""
    rows = conn.execute(
        select(steps)
        .where(steps.c.branch_id == branch_id, steps.c.number == number)
        .order_by(steps.c.position)
    ).mappings()
    return [
        (
            row["attempt"],
            Step(
                name=StepName(row["name"]),
                status=StepStatus(row["status"]),
                started_ms=row["started_ms"],
                ended_ms=row["ended_ms"],
                status_reason=row["status_reason"],
                context=row["context"],
            ),
        )
        for row in rows
    ]


def delete_steps(conn: Connection, branch_id: int, number: int) -> None:
    conn.execute(delete(steps).where(steps.c.branch_id == branch_id, steps.c.number == number))
