"""Accept a job: its number, its row and its wake-up in one transaction."""

from __future__ import annotations

from preamp.engine.interface import Engine
from preamp.engine.supersede import supersede_pushes
from preamp.model.branches import Branch
from preamp.model.caller import Scope
from preamp.model.errors import LimitExceeded
from preamp.model.jobs import Commit, Job, JobType, new_job
from preamp.store import branches, jobs
from preamp.store.database import Write


def accept_job(
    tx: Write,
    engine: Engine,
    *,
    scope: Scope,
    branch: Branch,
    type: JobType,  # noqa: A002 (the wire's own word)
    commit: Commit | None,
    reason: str | None,
    now: int,
    queue: bool = False,
    supersede: bool = False,
) -> Job:
    """A pending job; once the transaction is committed it will reach a terminal state.

    `queue`: wait behind unfinished jobs of the branch (pushes). Otherwise (calls of the API)
    LimitExceeded is raised when there is one (behaviour reference, section 15). `supersede`: pushes of the
    branch that wait are cancelled, for this one has their changes, too.
    """
    if not queue:
        refuse_second(tx, branch)
    job = new_job(
        branch_id=branch.branch_id,
        number=branches.next_job_number(tx.conn, branch.branch_id),
        type=type,
        reason=reason,
        commit=commit,
        now=now,
    )
    jobs.insert_job(tx.conn, job, scope=scope, app_id=branch.app_id, pushed=queue)
    if supersede:
        supersede_pushes(tx, job, now=now)
    engine.wake(tx, branch.branch_id)
    return job


def refuse_second(tx: Write, branch: Branch) -> None:
    """Raise LimitExceeded when the branch has an unfinished job."""
    unfinished = jobs.unfinished(tx.conn, branch.branch_id)
    if unfinished:
        raise LimitExceeded(
            f"The branch {branch.name[:100]} already has an unfinished job {unfinished[0].number}; "
            "wait until it ends or use StopJob to cancel it."
        )
