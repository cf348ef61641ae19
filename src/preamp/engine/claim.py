"""Claim the oldest waiting job of a branch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection

from preamp.model.caller import Scope
from preamp.model.jobs import Attempt, Job, JobState
from preamp.model.quotas import Quota
from preamp.model.times import now_ms
from preamp.store import attempts, jobs, quotas, steps
from preamp.store.database import Database, branch_lock


class Nothing(Enum):
    """Why a look at a branch gave no job."""

    IDLE = "idle"  # the branch has no waiting job
    BUSY = "busy"  # a job of the branch runs; its end is the next occasion to look
    FULL = "full"  # the account runs as many jobs as it may


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A job that is now ours to run."""

    job: Job
    attempt: Attempt
    waited_for: str | None = None
    """What kept it from running at once, as far as this worker has seen it."""


def claim_next(
    database: Database, branch_id: int, *, worker_id: str, concurrent_jobs: int, now: int | None = None
) -> Claim | Nothing:
    """At most one job of a branch runs, oldest first; at most `concurrent_jobs` of an account and region
    run, unless their quota says another number.

    Looked up first without a lock: most looks find nothing to do. `now`: None is the moment of the claim,
    which may be much later than that of the call when the database was away.
    """
    with database.read() as conn:
        found = _next(conn, branch_id, concurrent_jobs)
    if isinstance(found, Nothing):
        return found
    with database.write(branch_lock(branch_id)) as tx:
        # The branch is ours until the commit, and so is the account: what is counted now stays true.
        tx.hold_account(f"{found.scope.account}/{found.scope.region}")
        found = _next(tx.conn, branch_id, concurrent_jobs)
        if isinstance(found, Nothing):
            return found
        job = found.job
        attempt = jobs.claim(tx.conn, branch_id, job.number, worker_id=worker_id)
        assert attempt is not None, "a pending job under the write lock can be claimed"
        steps.delete_steps(tx.conn, branch_id, job.number)
        started = now_ms() if now is None else now
        attempts.insert_attempt(tx.conn, attempt, worker_id=worker_id, now=started)
        return Claim(job=job, attempt=attempt)


def could_claim(database: Database, branch_id: int, *, concurrent_jobs: int) -> Nothing | None:
    """None when `claim_next` would find a job now."""
    with database.read() as conn:
        found = _next(conn, branch_id, concurrent_jobs)
    return found if isinstance(found, Nothing) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    job: Job
    scope: Scope


def _next(conn: Connection, branch_id: int, concurrent_jobs: int) -> _Waiting | Nothing:
    waiting = [job for job in jobs.unfinished(conn, branch_id) if job.state is not JobState.CREATED]
    if not waiting:
        return Nothing.IDLE
    if any(job.state is JobState.RUNNING for job in waiting):
        return Nothing.BUSY
    job = waiting[0]
    scope = jobs.scope_of(conn, branch_id, job.number)
    if scope is None:  # deleted between two statements
        return Nothing.IDLE
    most = quotas.limit_of(conn, scope, Quota.CONCURRENT_JOBS, default=concurrent_jobs)
    if most is not None and jobs.running_in(conn, scope) >= most:
        return Nothing.FULL
    return _Waiting(job=job, scope=scope)
