"""The 8-hour rule, enforced by the worker's housekeeping."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from preamp.engine.deployments import EXPIRED, EXPIRES_MS, expire_deployments
from preamp.model.jobs import JobState
from preamp.model.times import now_ms
from preamp.store.access_logs import AccessLogFolder
from preamp.store.jobs import get_job
from preamp.store.tables import jobs
from preamp.worker import chores
from tests.support.control import InProcess, app_with_branch, in_process, refused


@pytest.fixture
def preamp(tmp_path: Path) -> Any:
    with in_process(tmp_path / "data") as it:
        yield it


def age(preamp: InProcess, number: int, ms: int) -> None:
    with preamp.database.write() as tx:
        tx.conn.execute(update(jobs).where(jobs.c.number == number).values(created_ms=now_ms() - ms))


def state(preamp: InProcess, number: int) -> tuple[JobState, str | None]:
    with preamp.database.read() as conn:
        branch_id = conn.scalar(jobs.select().with_only_columns(jobs.c.branch_id).limit(1))
        assert branch_id is not None
        job = get_job(conn, branch_id, number)
    assert job is not None
    return job.state, job.status_reason


def test_only_deployments_that_wait_too_long_fail(preamp: InProcess) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    client.create_deployment(appId=app_id, branchName="main")
    age(preamp, 1, EXPIRES_MS - 60_000)
    assert expire_deployments(preamp.database, now=now_ms()) == 0
    assert state(preamp, 1) == (JobState.CREATED, None)
    age(preamp, 1, EXPIRES_MS + 1000)
    assert expire_deployments(preamp.database, now=now_ms()) == 1
    assert state(preamp, 1) == (JobState.FAILED, EXPIRED)
    assert expire_deployments(preamp.database, now=now_ms()) == 0
    with refused("BadRequestException", "its status is FAILED"):
        client.start_deployment(appId=app_id, branchName="main", jobId="1")
    assert client.create_deployment(appId=app_id, branchName="main")["jobId"] == "2"


def test_starting_one_that_is_too_old_fails_it(preamp: InProcess) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    client.create_deployment(appId=app_id, branchName="main")
    age(preamp, 1, EXPIRES_MS + 1000)
    with refused("BadRequestException", "more than 8 hours ago"):
        client.start_deployment(appId=app_id, branchName="main", jobId="1")
    assert state(preamp, 1) == (JobState.FAILED, EXPIRED)


def test_started_ones_are_left_alone(preamp: InProcess) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    client.start_deployment(appId=app_id, branchName="main", sourceUrl="http://127.0.0.1:1/x.zip")
    age(preamp, 1, 2 * EXPIRES_MS)
    assert expire_deployments(preamp.database, now=now_ms()) == 0
    assert state(preamp, 1) == (JobState.PENDING, None)


def test_the_worker_sweeps_and_survives_trouble(
    preamp: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    client.create_deployment(appId=app_id, branchName="main")
    age(preamp, 1, EXPIRES_MS + 1000)
    monkeypatch.setattr(chores, "CHORE_SECONDS", 0.01)
    logs = AccessLogFolder(preamp.control.services.folder.access)
    trouble = iter([OSError("no space left"), None])

    def delete_before(_: int) -> int:
        error = next(trouble, None)
        if error is not None:
            raise error
        swept.set()
        return 0

    monkeypatch.setattr(logs, "delete_before", delete_before)
    swept = asyncio.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        real_set = swept.set
        monkeypatch.setattr(swept, "set", lambda: loop.call_soon_threadsafe(real_set))
        task = asyncio.create_task(chores.keep_house(preamp.database, logs, access_log_days=30))
        async with asyncio.timeout(60):
            await swept.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert state(preamp, 1)[0] is JobState.FAILED
    assert "housekeeping failed" in caplog.text
