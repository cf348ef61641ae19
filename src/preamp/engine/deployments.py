"""Start a deployment whose upload has come or that names its source; give up one that never starts."""

from __future__ import annotations

from preamp.engine.interface import Engine
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.jobs import Job, JobType, SourceUrlType, new_job
from preamp.store import branches, jobs
from preamp.store.database import Database, Write

EXPIRES_MS = 8 * 3600 * 1000
"""Between CreateDeployment and StartDeployment (behaviour reference, section 3.4)."""
EXPIRED = "More than 8 hours passed between CreateDeployment and StartDeployment."


def start_deployment(tx: Write, engine: Engine, job: Job, *, now: int) -> Job:
    """The pending job. `job` was read in this transaction as CREATED."""
    if not jobs.start_deployment(
        tx.conn, job.branch_id, job.number, source_url=None, source_url_type=None, now=now
    ):
        raise AssertionError("a created deployment under the write lock can be started")
    engine.wake(tx, job.branch_id)
    started = jobs.get_job(tx.conn, job.branch_id, job.number)
    assert started is not None, "a transaction sees the row it has just changed"
    return started


def accept_from_source(
    tx: Write, engine: Engine, *, app: App, branch: Branch, url: str, kind: SourceUrlType, now: int
) -> Job:
    """A pending deployment of what the worker finds at `url`; the branch has no unfinished job."""
    job = new_job(
        branch_id=branch.branch_id,
        number=branches.next_job_number(tx.conn, branch.branch_id),
        type=JobType.MANUAL,
        source_url=url,
        source_url_type=kind,
        now=now,
    )
    jobs.insert_job(tx.conn, job, scope=app.scope, app_id=app.app_id)
    engine.wake(tx, branch.branch_id)
    return job


def expire_deployment(tx: Write, job: Job, *, now: int) -> None:
    """CREATED -> FAILED."""
    jobs.fail_waiting(tx.conn, job.branch_id, job.number, status_reason=EXPIRED, now=now)


def expire_deployments(database: Database, *, now: int) -> int:
    """Fail what was created too long ago and never started; how many there were."""
    with database.read() as conn:
        late = jobs.created_before(conn, now - EXPIRES_MS)
    failed = 0
    for branch_id, number in late:
        with database.write() as tx:
            # Started or stopped in between: then this changes nothing.
            failed += jobs.fail_created(tx.conn, branch_id, number, status_reason=EXPIRED, now=now)
    return failed
