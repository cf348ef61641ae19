"""Take over what dead workers left running."""

from __future__ import annotations

import logging
from collections.abc import Collection

from preamp.engine import finish
from preamp.engine.liveness import Liveness
from preamp.engine.stop import STOPPED
from preamp.model.jobs import Attempt
from preamp.store import attempts, jobs
from preamp.store.attempts import Outcome
from preamp.store.database import Database

_log = logging.getLogger(__name__)
MAX_LOST = 3
"""A job whose worker died this often is taken to be the cause."""
DIED = (
    "The worker died {lost} times while it ran this job; see its log and the worker's. "
    "Out of memory is the usual cause."
)


def recover(database: Database, liveness: Liveness, *, worker_id: str, now: int) -> int:
    """Take the jobs of dead workers over (see `give_up`); how many there were."""
    with database.read() as conn:
        dead = [
            attempt
            for attempt, holder in jobs.held(conn)
            if holder != worker_id and liveness.is_dead(conn, holder)
        ]
    return sum(give_up(database, attempt, reason=DIED, now=now) for attempt in dead)


def unheld(database: Database, *, worker_id: str, ours: Collection[int]) -> list[Attempt]:
    """Attempts in a worker's name of branches that are not among `ours`, those that it runs or claims.

    Nobody runs them: their claim was committed, but the answer was lost with the connection.
    """
    with database.read() as conn:
        return [
            attempt
            for attempt, holder in jobs.held(conn)
            if holder == worker_id and attempt.branch_id not in ours
        ]


def give_up(database: Database, attempt: Attempt, *, reason: str, now: int) -> bool:
    """End an attempt that nobody runs any more: its job is handed back, or CANCELLED when it was being
    stopped, or FAILED when this has happened `MAX_LOST` times. False when it is not current.

    Call it when no process of the attempt can be left: builds die with their worker. `{lost}` in the reason
    becomes how often.
    """
    with database.read() as conn:
        stopping = jobs.stop_requested(conn, attempt)
        lost = attempts.count_lost(conn, attempt.branch_id, attempt.number) + 1
    if stopping:
        changed = finish.cancel(database, attempt, reason=STOPPED, now=now)
    elif lost >= MAX_LOST:
        changed = finish.fail(database, attempt, reason=reason.replace("{lost}", str(lost)), now=now)
    else:
        changed = finish.hand_back(database, attempt, Outcome.LOST, now=now)
    if changed:
        _log.warning(
            "job %s of branch %s: attempt %s was lost", attempt.number, attempt.branch_id, attempt.attempt
        )
    return changed
