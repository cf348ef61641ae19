"""A newer push takes the place of pushes of its branch that still wait."""

from __future__ import annotations

from preamp.model.jobs import Attempt, Job, StepName, StepStatus
from preamp.store import jobs, steps
from preamp.store.database import Write


def supersede_pushes(tx: Write, newer: Job, *, now: int) -> list[int]:
    """Cancel them, with the reason in their first step; the numbers of those jobs.

    What a call of the API started stays: somebody waits for that very job.
    """
    conn = tx.conn
    numbers = jobs.waiting_pushes(conn, newer.branch_id, before=newer.number)
    reason = f"Superseded by job {newer.number}, a newer push to this branch, before it began."
    for number in numbers:
        if jobs.cancel_waiting(conn, newer.branch_id, number, status_reason=reason, now=now):
            # Where a client looks for a reason; a job that was handed back may have steps already.
            steps.delete_steps(conn, newer.branch_id, number)
            attempt = Attempt(branch_id=newer.branch_id, number=number, attempt=0)
            steps.start_step(conn, attempt, StepName.BUILD, context=None, now=now)
            steps.end_open_steps(conn, attempt, StepStatus.CANCELLED, status_reason=reason, now=now)
    return numbers
