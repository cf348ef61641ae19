"""Take over what dead workers left running."""

from __future__ import annotations

import logging

from preamp.engine import finish
from preamp.engine.stop import STOPPED
from preamp.store import attempts, jobs, workers
from preamp.store.attempts import Outcome
from preamp.store.database import Database

_log = logging.getLogger(__name__)
MAX_LOST = 3
"""A job whose worker died this often is taken to be the cause."""


def recover(database: Database, *, worker_id: str, now: int) -> int:
    """Hand back the jobs of dead workers; a job that was being stopped is CANCELLED instead, one that
    lost its worker `MAX_LOST` times FAILED. Returns how many jobs were taken over.

    Call it when no process of the dead workers can be left: builds die with their worker.
    """
    with database.read() as conn:
        held = jobs.running_of_others(conn, worker_id)
        dead = [attempt for attempt, holder in held if not workers.is_alive(conn, holder)]
    taken = 0
    for attempt in dead:
        with database.read() as conn:
            stopping = jobs.stop_requested(conn, attempt)
            lost = attempts.count_lost(conn, attempt.branch_id, attempt.number) + 1
        if stopping:
            changed = finish.cancel(database, attempt, reason=STOPPED, now=now)
        elif lost >= MAX_LOST:
            reason = (
                f"The worker died {lost} times while it ran this job; see its log and the worker's. "
                "Out of memory is the usual cause."
            )
            changed = finish.fail(database, attempt, reason=reason, now=now)
        else:
            changed = finish.hand_back(database, attempt, Outcome.LOST, now=now)
        if changed:
            taken += 1
            _log.warning(
                "took over job %s of branch %s: attempt %s lost its worker",
                attempt.number,
                attempt.branch_id,
                attempt.attempt,
            )
    return taken
