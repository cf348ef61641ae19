"""End an attempt. Each function is one fenced transaction: False means "not yours any more"."""

from __future__ import annotations

from preamp.model.jobs import Attempt, JobState, StepStatus
from preamp.model.releases import Release
from preamp.store import attempts, branches, changes, jobs, releases, steps
from preamp.store.attempts import Outcome
from preamp.store.database import Database, branch_lock


def succeed(database: Database, attempt: Attempt, *, app_id: str, release: Release, now: int) -> bool:
    """SUCCEED and serve the release, together or not at all. Doing it again changes nothing.

    False when the attempt is not current or a stop was asked for: nothing was changed. The branch
    stays at a release of a later job, should it have one.
    """
    with database.write(branch_lock(attempt.branch_id)) as tx:
        conn = tx.conn
        if not jobs.succeed(conn, attempt, now=now):
            # Asked again because the answer to the first commit was lost with its connection.
            return jobs.has_succeeded(conn, attempt)
        # A previous attempt of this job can have stored its release and died before this point.
        releases.delete_release_of_job(conn, attempt.branch_id, attempt.number)
        releases.insert_release(conn, release)
        branches.advance(conn, attempt.branch_id, job=attempt.number, release_id=release.release_id)
        steps.end_open_steps(conn, attempt, StepStatus.SUCCEED, status_reason=None, now=now)
        attempts.end_attempt(conn, attempt, Outcome.FINISHED, now=now)
        changes.record(tx, app_id, now=now)
    return True


def skip(database: Database, attempt: Attempt, *, reason: str, now: int) -> bool:
    """SUCCEED without a release: there was nothing to build, what is served stays."""
    with database.write(branch_lock(attempt.branch_id)) as tx:
        conn = tx.conn
        if not jobs.succeed(conn, attempt, now=now):
            # Asked again because the answer to the first commit was lost with its connection.
            return jobs.has_succeeded(conn, attempt)
        steps.end_open_steps(conn, attempt, StepStatus.SUCCEED, status_reason=reason, now=now)
        attempts.end_attempt(conn, attempt, Outcome.FINISHED, now=now)
    return True


def fail(database: Database, attempt: Attempt, *, reason: str, now: int) -> bool:
    """FAILED with the reason; what is served does not change."""
    return _end(database, attempt, JobState.FAILED, StepStatus.FAILED, reason=reason, now=now)


def cancel(database: Database, attempt: Attempt, *, reason: str, now: int) -> bool:
    """CANCELLED; call it only when the attempt's processes are dead, for it frees the branch."""
    return _end(database, attempt, JobState.CANCELLED, StepStatus.CANCELLED, reason=reason, now=now)


def hand_back(database: Database, attempt: Attempt, outcome: Outcome, *, now: int) -> bool:
    """The attempt is over and the job waits again for a worker."""
    with database.write(branch_lock(attempt.branch_id)) as tx:
        if not jobs.hand_back(tx.conn, attempt):
            return False
        attempts.end_attempt(tx.conn, attempt, outcome, now=now)
    return True


def _end(
    database: Database,
    attempt: Attempt,
    state: JobState,
    step: StepStatus,
    *,
    reason: str,
    now: int,
) -> bool:
    with database.write(branch_lock(attempt.branch_id)) as tx:
        conn = tx.conn
        if not jobs.finish(conn, attempt, state, status_reason=reason, now=now):
            return False
        steps.end_open_steps(conn, attempt, step, status_reason=reason, now=now)
        attempts.end_attempt(conn, attempt, Outcome.FINISHED, now=now)
    return True
