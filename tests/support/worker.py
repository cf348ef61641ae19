"""The worker's part of Preamp, one job at a time, for jobs that build nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from preamp.engine.claim import Claim, claim_next
from preamp.engine.dispatch import Interrupt, Run
from preamp.model.jobs import Job
from preamp.model.times import now_ms
from preamp.store import branches
from preamp.store.blobs import LocalBlobs
from preamp.store.logs import LogFolder
from preamp.worker.run_job import JobRunner
from tests.support.control import InProcess
from tests.support.rows import job_of


class OneWorker:
    def __init__(self, preamp: InProcess) -> None:
        services = preamp.control.services
        self.database = services.database
        self.folder = services.folder
        self.runner = JobRunner(
            database=services.database,
            folder=services.folder,
            settings=services.settings,
            sandbox=cast("Any", None),
            master=services.master,
            blobs=LocalBlobs(services.folder.blobs),
            logs=LogFolder(services.folder.logs),
        )

    def run(self, app_id: str, branch: str = "main", *, stop_when: Callable[[], bool] | None = None) -> Job:
        """Run the oldest waiting job of the branch to its end; `stop_when`: then, as StopJob would."""
        with self.database.read() as conn:
            found = branches.get_branch(conn, app_id, branch)
        assert found is not None
        claim = claim_next(self.database, found.branch_id, worker_id="w", concurrent_jobs=5, now=now_ms())
        assert isinstance(claim, Claim), claim
        asyncio.run(self._run(claim, stop_when))
        return job_of(self.database, found, claim.job.number)

    async def _run(self, claim: Claim, stop_when: Callable[[], bool] | None) -> None:
        run = Run(attempt=claim.attempt)
        run.task = asyncio.create_task(self.runner(claim, run))
        if stop_when is not None:
            while not stop_when():  # noqa: ASYNC110 (it may be told by another thread)
                await asyncio.sleep(0.01)
            run.cut(Interrupt.STOP)
        await run.task

    def log(self, job: Job) -> str:
        """The text of the DEPLOY log."""
        folder = self.folder.logs / str(job.branch_id) / str(job.number)
        return (folder / str(job.attempt) / "DEPLOY.txt").read_text()
