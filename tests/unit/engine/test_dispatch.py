from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from preamp.engine.claim import Claim
from preamp.engine.dispatch import Dispatcher, Run
from preamp.model.jobs import Attempt
from tests.support.rows import new_database


def test_a_job_may_end_while_another_one_is_looked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_claim: Claim, _run: Run) -> None:
        raise AssertionError("there are no more jobs")

    database = new_database(tmp_path)
    dispatcher = Dispatcher(database=database, worker_id="w", slots=4, concurrent_jobs=4, run=run)
    for branch_id in (1, 2):
        attempt = Attempt(branch_id=branch_id, number=1, attempt=1)
        dispatcher.running[branch_id] = Run(attempt=attempt)
        dispatcher.wake(branch_id)
    looked_after = []

    async def check(self: Dispatcher, run: Run) -> None:
        looked_after.append(run.attempt.branch_id)
        del self.running[2]

    monkeypatch.setattr(Dispatcher, "_check", check)
    asyncio.run(dispatcher._look_around())
    database.close()
    assert looked_after == [1]
