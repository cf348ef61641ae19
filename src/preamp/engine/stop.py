"""Stop and delete jobs (behaviour reference, sections 3.4 and 13)."""

from __future__ import annotations

from preamp.engine.interface import Engine
from preamp.model.errors import BadRequest
from preamp.model.jobs import TERMINAL, Job, JobState
from preamp.store import artifacts, attempts, branches, jobs, releases, steps, uploads
from preamp.store.database import Write

STOPPED = "Stopped by StopJob."


def stop_job(tx: Write, engine: Engine, job: Job, *, now: int) -> Job:
    """The job as it is afterwards: CANCELLED when it only waited, else CANCELLING until its processes
    are dead. Raises BadRequest for a job that is over.
    """
    if job.state in TERMINAL:
        raise BadRequest(
            f"The job {job.number} is already finished with status {job.state}; it cannot be stopped."
        )
    conn = tx.conn
    if not jobs.cancel_waiting(conn, job.branch_id, job.number, status_reason=STOPPED, now=now):
        jobs.request_stop(conn, job.branch_id, job.number, now=now)
    engine.wake(tx, job.branch_id)
    stopped = jobs.get_job(conn, job.branch_id, job.number)
    assert stopped is not None, "a transaction sees the row it has just changed"
    return stopped


def delete_job(tx: Write, engine: Engine, job: Job) -> None:
    """Remove a job from the lists. What it released stays as long as it is served.

    Raises BadRequest while a worker holds it.
    """
    conn = tx.conn
    if not jobs.delete_job(conn, job.branch_id, job.number):
        raise BadRequest(f"The job {job.number} is {job.status}; use StopJob and wait until it is CANCELLED.")
    branches.forget_job(conn, job.branch_id)
    steps.delete_steps(conn, job.branch_id, job.number)
    attempts.delete_attempts(conn, job.branch_id, job.number)
    uploads.delete_uploads(conn, job.branch_id, job.number)
    artifacts.delete_artifacts(conn, job.branch_id, job.number)
    branch = branches.get_branch_by_id(conn, job.branch_id)
    if branch is not None and branch.active_job != job.number:
        releases.delete_release_of_job(conn, job.branch_id, job.number)
    if job.state is JobState.PENDING:
        engine.wake(tx, job.branch_id)
