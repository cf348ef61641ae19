"""Attempts: who ran a job, when, and how that ended."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select, update

from preamp.model.jobs import Attempt
from preamp.store.tables import attempts


class Outcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "FINISHED"  # the job reached a terminal state
    HANDED_BACK = "HANDED_BACK"  # the worker was drained; the job goes on elsewhere
    LOST = "LOST"  # the worker died


def insert_attempt(conn: Connection, attempt: Attempt, *, worker_id: str, now: int) -> None:
    conn.execute(
        insert(attempts).values(
            branch_id=attempt.branch_id,
            number=attempt.number,
            attempt=attempt.attempt,
            worker_id=worker_id,
            started_ms=now,
        )
    )


def end_attempt(conn: Connection, attempt: Attempt, outcome: Outcome, *, now: int) -> None:
    conn.execute(
        update(attempts)
        .where(
            attempts.c.branch_id == attempt.branch_id,
            attempts.c.number == attempt.number,
            attempts.c.attempt == attempt.attempt,
        )
        .values(ended_ms=now, outcome=outcome)
    )


def count_lost(conn: Connection, branch_id: int, number: int) -> int:
    """How many workers died while they ran the job."""
    return (
        conn.scalar(
            select(func.count())
            .select_from(attempts)
            .where(
                attempts.c.branch_id == branch_id,
                attempts.c.number == number,
                attempts.c.outcome == Outcome.LOST,
            )
        )
        or 0
    )


def delete_attempts(conn: Connection, branch_id: int, number: int) -> None:
    conn.execute(delete(attempts).where(attempts.c.branch_id == branch_id, attempts.c.number == number))
