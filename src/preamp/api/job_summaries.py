"""A job's summary, as five operations answer with it."""

from __future__ import annotations

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.ids import branch_arn, padded
from preamp.model.jobs import Commit, Job
from preamp.model.times import seconds
from preamp.store import jobs

_NOTHING = Commit(commit_id="")
"""What a manual deployment is a build of."""


class FinishedJobs:
    """Summaries of jobs that are over: their rows never change again, and lists show the same ones all day.

    Holds up to `most` of them, about a kilobyte each. Whether a job still exists is always asked.
    """

    def __init__(self, *, most: int = 4096) -> None:
        self._most = most
        self._known: dict[tuple[int, int], shapes.JobSummary] = {}

    def page(
        self, conn: Connection, app: App, branch: Branch, *, before: int | None, limit: int
    ) -> list[tuple[int, shapes.JobSummary]]:
        """Number and summary of the branch's jobs, newest first."""
        which, known = branch.branch_id, self._known
        numbers = jobs.page_numbers(conn, which, before=before, limit=limit)
        found = [(number, summary) for number in numbers if (summary := known.get((which, number)))]
        if len(found) == len(numbers):
            return found
        arn = _arn_of(app, branch)
        page = jobs.page_jobs(conn, which, before=before, limit=limit)
        found = [(job.number, _summary(arn, job)) for job in page]
        if len(known) + len(found) > self._most:
            known.clear()
        for job, (number, summary) in zip(page, found, strict=True):
            if job.ended_ms is not None:
                known[which, number] = summary
        return found


def present_summary(app: App, branch: Branch, job: Job) -> shapes.JobSummary:
    return _summary(_arn_of(app, branch), job)


def _arn_of(app: App, branch: Branch) -> str:
    return branch_arn(
        account=app.scope.account, region=app.scope.region, app_id=app.app_id, branch=branch.name
    )


def _summary(arn: str, job: Job) -> shapes.JobSummary:
    """`arn`: the branch's, the same for a whole page."""
    commit = job.commit or _NOTHING
    return shapes.JobSummary(
        job_arn=f"{arn}/jobs/{padded(job.number)}",
        job_id=str(job.number),
        commit_id=commit.commit_id,
        commit_message=commit.message or "",
        commit_time=seconds(commit.time_ms or job.created_ms),
        start_time=seconds(job.started_ms or job.created_ms),
        status=job.status,
        end_time=seconds(job.ended_ms) if job.ended_ms else None,
        job_type=job.type,
        source_url=job.source_url,
        source_url_type=job.source_url_type,
    )
