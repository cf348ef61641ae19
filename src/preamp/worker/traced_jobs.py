"""A span for each attempt of a job, with one for each of its steps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from preamp.engine.claim import Claim
from preamp.engine.dispatch import Run
from preamp.model.jobs import JobState, StepStatus
from preamp.model.work import current_work
from preamp.store import jobs, steps
from preamp.store.database import Database
from preamp.tracing import Tracing

_log = logging.getLogger(__name__)
_MS = 1_000_000
"""Nanoseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedJobs:
    """Runs jobs by `run` and tells of each when it has ended."""

    run: Callable[[Claim, Run], Awaitable[None]]
    database: Database
    tracing: Tracing

    async def __call__(self, claim: Claim, run: Run) -> None:
        begun_ns = time.time_ns()
        try:
            await self.run(claim, run)
        finally:
            try:
                await asyncio.to_thread(self._tell, claim, begun_ns)
            except Exception as error:  # noqa: BLE001 (the job matters, its span does not)
                _log.warning("there is no span for this attempt: %s", error)

    def _tell(self, claim: Claim, begun_ns: int) -> None:
        attempt, ended_ns = claim.attempt, time.time_ns()
        with self.database.read() as conn:
            job = jobs.get_job(conn, attempt.branch_id, attempt.number)
            found = steps.list_steps(conn, attempt.branch_id, attempt.number)
        known = {**current_work(), "job_type": str(claim.job.type)}
        state = str(job.status) if job else "DELETED"
        failed = job is not None and job.state is JobState.FAILED
        context = self.tracing.add(
            "job",
            begun_ns=begun_ns,
            ended_ns=ended_ns,
            attributes={**known, "status": state},
            failure=(job.status_reason or state) if job is not None and failed else None,
        )
        for number, step in found:
            if number == attempt.attempt:
                self.tracing.add(
                    str(step.name),
                    begun_ns=step.started_ms * _MS,
                    ended_ns=step.ended_ms * _MS if step.ended_ms else ended_ns,
                    attributes={**known, "status": str(step.status)},
                    failure=(step.status_reason or "failed") if step.status is StepStatus.FAILED else None,
                    parent=context,
                )
