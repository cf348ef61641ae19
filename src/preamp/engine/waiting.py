"""Why each waiting job waits, and how many are before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from preamp.model.caller import Scope
from preamp.model.jobs import JobState
from preamp.model.quotas import Quota
from preamp.store import quotas, workers
from preamp.store.queue import OpenJob, open_jobs

FOR_BRANCH = "an earlier job of its branch"
FOR_ACCOUNT = "another job of the account to end: it runs as many at once as it may"
FOR_SLOT = "a free slot of a worker"


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    """An unfinished job with its place."""

    job: OpenJob
    position: int | None
    """From 1 on among what can be started; None for a job that runs or whose upload has not come."""
    waits_for: str | None
    """None for a job that runs."""


def queued(conn: Connection, scope: Scope, *, concurrent_jobs: int) -> list[Queued]:
    """What runs, then what waits in the order in which it will be started, then what lacks its upload.

    The order is that of the dispatchers: apps take turns. It can change with each job that is accepted.
    """
    found = open_jobs(conn, scope)
    running = [job for job in found if job.state is JobState.RUNNING]
    limit = quotas.limit_of(conn, scope, Quota.CONCURRENT_JOBS, default=concurrent_jobs)
    full = limit is not None and len(running) >= limit
    workers_known = bool(workers.beats(conn))
    rows = [Queued(job=job, position=None, waits_for=None) for job in running]
    before: dict[int, int] = {job.branch_id: job.number for job in running}
    for position, job in enumerate(_in_turn(found), start=1):
        earlier = before.get(job.branch_id)
        if earlier is not None:
            reason = f"job {earlier} of its branch"
        elif full:
            reason = f"{FOR_ACCOUNT} ({limit})"
        else:
            reason = FOR_SLOT if workers_known else "a worker: none runs"
        before[job.branch_id] = job.number
        rows.append(Queued(job=job, position=position, waits_for=reason))
    created = [job for job in found if job.state is JobState.CREATED]
    return rows + [
        Queued(job=job, position=None, waits_for="its upload and StartDeployment") for job in created
    ]


def _in_turn(found: list[OpenJob]) -> list[OpenJob]:
    """Waiting jobs, apps taking turns: the n-th of an app comes after the n-th place of every other."""
    places = Counter(job.app_id for job in found if job.state is JobState.RUNNING)
    ranked = []
    for order, job in enumerate(found):
        if job.state is JobState.PENDING:
            ranked.append((places[job.app_id], order, job))
            places[job.app_id] += 1
    return [job for _, _, job in sorted(ranked, key=lambda item: item[:2])]
