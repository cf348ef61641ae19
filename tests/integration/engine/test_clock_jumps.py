"""A wall clock that somebody sets: what is young stays, whichever way it jumps."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.engine.clock import SteadyClock
from preamp.engine.collect import collect_garbage
from preamp.engine.deployments import EXPIRES_MS, expire_deployments
from preamp.model.jobs import JobState
from preamp.model.times import now_ms
from preamp.settings import Settings
from preamp.store.garbage import GRACE_MS
from preamp.store.jobs import get_job
from preamp.store.stores import open_stores
from preamp.store.tables import jobs
from tests.support.control import InProcess, app_with_branch, in_process

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


class Machine:
    """Its time as it really passes, and what its wall clock says."""

    def __init__(self) -> None:
        self.passed_ms = 0
        self.wrong_ms = 0
        self._began = now_ms()

    def wall(self) -> int:
        return self._began + self.passed_ms + self.wrong_ms

    def clock(self) -> SteadyClock:
        """Of a process that starts now."""
        return SteadyClock(wall=self.wall, steady=lambda: self.passed_ms)


@pytest.fixture
def preamp(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path / "data") as it:
        yield it


def states(preamp: InProcess) -> list[JobState]:
    with preamp.database.read() as conn:
        found = conn.execute(jobs.select().with_only_columns(jobs.c.branch_id, jobs.c.number)).all()
        return [job.state for key in found if (job := get_job(conn, *key)) is not None]


@pytest.mark.parametrize("jump_ms", [9 * HOUR_MS, 400 * DAY_MS, -9 * HOUR_MS, -400 * DAY_MS])
def test_a_deployment_has_its_eight_hours_whatever_the_clock_says(preamp: InProcess, jump_ms: int) -> None:
    machine = Machine()
    clock = machine.clock()
    client = preamp.client()
    client.create_deployment(appId=app_with_branch(client), branchName="main")
    machine.wrong_ms = jump_ms
    machine.passed_ms = EXPIRES_MS - HOUR_MS
    assert expire_deployments(preamp.database, now=clock()) == 0
    machine.wrong_ms = 0  # it is set right
    assert expire_deployments(preamp.database, now=clock()) == 0
    machine.passed_ms = EXPIRES_MS + 60_000
    assert expire_deployments(preamp.database, now=clock()) == 1
    assert states(preamp) == [JobState.FAILED]


def test_a_deployment_can_be_started_after_the_clock_was_set_ahead(
    preamp: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = preamp.client()
    app_id = app_with_branch(client)
    files = {"index.html": hashlib.md5(b"x").hexdigest()}
    created = client.create_deployment(appId=app_id, branchName="main", fileMap=files)
    assert preamp.fetch("PUT", created["fileUploadUrls"]["index.html"], body=b"x")[0] == 200
    # What the operations take the time from; what checks the client's signature still has the right time.
    monkeypatch.setattr("preamp.api.deployments.now_ms", lambda: now_ms() + 9 * HOUR_MS)
    clock = preamp.control.services.clock
    clock.wall = lambda: now_ms() + 9 * HOUR_MS
    client.start_deployment(appId=app_id, branchName="main", jobId=created["jobId"])
    assert states(preamp) == [JobState.PENDING]


def test_jumps_make_nothing_old_for_retention_and_cleaning(preamp: InProcess) -> None:
    seed = int(os.environ.get("PREAMP_TEST_SEED") or random.SystemRandom().randrange(1, 1 << 30))
    print(f"seed {seed}: repeat with PREAMP_TEST_SEED={seed}")
    chance = random.Random(seed)
    folder = preamp.control.services.folder
    settings = Settings(
        data=folder.root, keep_job_days=1, keep_release_days=1, keep_log_days=1, keep_artifact_days=1
    )
    client = preamp.client()
    app_id = app_with_branch(client)
    job = client.create_deployment(appId=app_id, branchName="main")["jobId"]
    client.stop_job(appId=app_id, branchName="main", jobId=job)
    stores = open_stores(settings)
    blob = stores.blobs.put_bytes(b"nobody refers to this")
    machine = Machine()
    clock = machine.clock()
    try:
        while machine.passed_ms < GRACE_MS - HOUR_MS:
            machine.wrong_ms = chance.choice([-1, 1]) * chance.randrange(1000 * DAY_MS)
            machine.passed_ms += chance.randrange(HOUR_MS)
            found = collect_garbage(stores, settings, now=clock())
            assert (found.expired.jobs, found.blobs.blobs) == ((), ())
        assert stores.blobs.exists(blob.name)
        assert states(preamp) == [JobState.CANCELLED]
        machine.wrong_ms, machine.passed_ms = 0, 2 * DAY_MS + GRACE_MS
        found = collect_garbage(stores, settings, now=clock())
        assert len(found.expired.jobs) == 1
        assert not stores.blobs.exists(blob.name)
    finally:
        stores.close()
