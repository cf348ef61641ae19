"""Cleaning: what is served or young stays whatever the limits say; what goes, goes with its bytes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from preamp.cli.main import preamp
from preamp.engine.collect import Collected, collect_garbage
from preamp.engine.retention import Keep
from preamp.engine.weigh import weigh
from preamp.model.jobs import Attempt, StepName
from preamp.model.times import now_ms
from preamp.settings import Settings
from preamp.store import artifacts, attempts, branches, jobs, releases, steps, tables
from preamp.store.blobs import Blob, LocalBlobs
from preamp.store.database import Database
from preamp.store.folder import DataFolder
from preamp.store.garbage import GRACE_MS, find_garbage, remove
from preamp.store.manifests import ManifestError, read_manifest
from preamp.store.sizes import app_sizes, job_sizes
from preamp.store.stores import Stores, open_stores
from tests.support.edge import World
from tests.support.rows import NoEngine, add_app, add_branch, new_database, push

DAY_MS = 24 * 3600 * 1000


@dataclass
class Place:
    database: Database
    stores: Stores
    folder: DataFolder
    app_id: str
    branch_id: int

    @property
    def blobs(self) -> LocalBlobs:
        assert isinstance(self.stores.blobs, LocalBlobs)
        return self.stores.blobs

    def publish(self, count: int) -> None:
        world = World.on(self.database, self.folder.root, self.folder.blobs)
        for _ in range(count):
            with self.database.write() as tx:
                number = branches.next_job_number(tx.conn, self.branch_id)
            world.release(self.app_id, self.branch_id, number, {"a.txt": f"text {number}".encode() * 50})

    def collect(self, *, later_ms: int = 2 * DAY_MS, dry_run: bool = False, **keep: int) -> Collected:
        settings = Settings(data=self.folder.root, **keep)  # type: ignore[arg-type]
        return collect_garbage(self.stores, settings, now=now_ms() + later_ms, dry_run=dry_run)

    def released(self) -> list[int]:
        with self.database.read() as conn:
            found = releases.releases_beside(conn, self.branch_id, job=0, limit=100)
        for release in found:
            manifest = read_manifest(self.blobs, release.manifest)
            for file in manifest.files.values():
                assert self.blobs.exists(file.body.blob)
                assert all(self.blobs.exists(twin.blob) for twin in file.encodings.values())
        return [release.job for release in found]

    def names(self) -> set[str]:
        return {blob.name for blob in self.blobs.list()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = DataFolder(tmp_path)
    folder.make()
    database = new_database(tmp_path)
    app = add_app(database)
    branch = add_branch(database, app)
    stores = open_stores(Settings(data=tmp_path))
    return Place(database, stores, folder, app.app_id, branch.branch_id)


def test_without_limits_nothing_goes(place: Place) -> None:
    place.publish(3)
    before = place.names()
    found = place.collect(later_ms=1000 * DAY_MS)
    assert (place.released(), place.names()) == ([3, 2, 1], before)
    assert found.blobs.blobs == ()


def test_releases_that_are_not_kept_go_with_their_bytes(place: Place) -> None:
    place.publish(4)
    before = place.names()
    tried = place.collect(keep_releases=2, dry_run=True)
    assert len(tried.expired.releases) == 2
    assert (place.released(), place.names()) == ([4, 3, 2, 1], before)
    place.collect(keep_releases=2)
    assert place.released() == [4, 3]
    place.collect()  # the twins of what went go one round later
    assert place.released() == [4, 3]
    assert len(place.names()) == len(before) // 2
    with place.database.read() as conn:
        (size,) = app_sizes(conn, job_sizes(conn, {}))
    assert (size.releases, size.release_bytes) == (2, 2 * 300)


def test_what_is_served_stays_also_after_a_rollback(place: Place) -> None:
    place.publish(4)
    with place.database.write() as tx:
        first = releases.get_release_of_job(tx.conn, place.branch_id, 1)
        assert first is not None
        branches.switch(tx.conn, place.branch_id, job=1, release_id=first.release_id)
    place.collect(keep_releases=1)
    assert place.released() == [4, 1]


def test_what_skew_protection_serves_stays(place: Place, tmp_path: Path) -> None:
    with place.database.read() as conn:
        branch = branches.get_branch_by_id(conn, place.branch_id)
    assert branch is not None
    app = add_app(place.database)
    protected = add_branch(place.database, app, enable_skew_protection=True)
    place.app_id, place.branch_id = app.app_id, protected.branch_id
    place.publish(4)
    place.collect(keep_releases=1, skew_releases=2)
    assert place.released() == [4, 3, 2]


def test_young_blobs_and_blobs_that_are_put_again_stay(place: Place) -> None:
    blob = place.blobs.put_bytes(b"nobody refers to this")
    place.collect(later_ms=GRACE_MS // 2)
    assert place.blobs.exists(blob.name)
    found = find_garbage(place.database, place.blobs, now=now_ms() + 2 * GRACE_MS)
    assert [item.name for item in found.blobs] == [blob.name]
    # Published again between the look and the removal.
    os.utime(place.blobs.path(blob.name), ns=(1, found.blobs[0].modified_ms * 1_000_000 - 10**12))
    found = find_garbage(place.database, place.blobs, now=now_ms() + 2 * GRACE_MS)
    again = place.blobs.put_bytes(b"nobody refers to this")
    assert again == Blob(name=blob.name, size=blob.size)
    assert remove(place.blobs, found).blobs == ()
    assert place.blobs.read(blob.name) == b"nobody refers to this"
    place.collect()
    assert not place.blobs.exists(blob.name)


def test_half_written_bytes_of_dead_processes_go(place: Place) -> None:
    incoming = place.folder.blobs / "incoming"
    (incoming / "1-dead").write_bytes(b"half")
    kept = place.blobs.put_bytes(b"set aside by a collector that died")
    place.blobs.path(kept.name).rename(incoming / f"aside-{kept.name}")
    assert place.collect(later_ms=0).leftovers == 0
    assert place.blobs.exists(kept.name)
    assert place.collect().leftovers == 1
    assert list(incoming.iterdir()) == []


def test_with_an_unreadable_manifest_nothing_is_removed(place: Place) -> None:
    place.publish(2)
    with place.database.read() as conn:
        release = releases.get_release_of_job(conn, place.branch_id, 1)
    assert release is not None
    place.blobs.delete(release.manifest.blob)
    before = place.names()
    with pytest.raises(ManifestError):
        place.collect()
    assert place.names() == before


def test_jobs_go_with_their_logs_but_unfinished_ones_stay(place: Place) -> None:
    with place.database.read() as conn:
        branch = branches.get_branch_by_id(conn, place.branch_id)
    assert branch is not None
    for _ in range(3):
        job = push(place.database, NoEngine(), branch)
        attempt = Attempt(branch_id=branch.branch_id, number=job.number, attempt=1)
        place.stores.logs.writer(attempt, StepName.BUILD).close()
        if job.number < 3:
            with place.database.write() as tx:
                jobs.cancel_waiting(tx.conn, branch.branch_id, job.number, status_reason="x", now=now_ms())
    orphan = Attempt(branch_id=branch.branch_id, number=77, attempt=1)
    place.stores.logs.writer(orphan, StepName.BUILD).close()
    place.collect(keep_job_days=1)
    with place.database.read() as conn:
        left = jobs.page_jobs(conn, branch.branch_id, before=None, limit=10)
    assert [job.number for job in left] == [3]
    logs = place.folder.logs / str(branch.branch_id)
    assert [path.name for path in logs.iterdir()] == ["3"]


def test_what_would_go_is_told_with_its_bytes(place: Place) -> None:
    place.publish(3)
    with place.database.read() as conn:
        branch = branches.get_branch_by_id(conn, place.branch_id)
    assert branch is not None
    for _ in range(2):
        job = push(place.database, NoEngine(), branch)
        log = place.stores.logs.writer(
            Attempt(branch_id=branch.branch_id, number=job.number, attempt=1), StepName.BUILD
        )
        log.write(b"x" * 70)
        log.close()
        with place.database.write() as tx:
            picture = Blob(name="0" * 64, size=9)
            artifacts.add_screenshot(tx.conn, branch.branch_id, job.number, "a.png", picture)
            jobs.cancel_waiting(tx.conn, branch.branch_id, job.number, status_reason="x", now=now_ms())
    found = place.collect(keep_releases=1, keep_logs=1, keep_artifacts=1, dry_run=True).expired
    with place.database.read() as conn:
        sizes = job_sizes(conn, place.stores.logs.sizes())
        going = weigh(conn, found, sizes)
        (app,) = app_sizes(conn, sizes)
    assert [
        (item.branch, item.job, item.whole, item.release_bytes, item.log_bytes, item.artifact_bytes)
        for item in going
    ] == [
        (branch.name, 1, False, 300, None, None),
        (branch.name, 2, False, 300, None, None),
        (branch.name, 4, False, None, 70, 9),
    ]
    assert {item.app_id for item in going} == {place.app_id}
    assert (app.release_bytes, app.log_bytes, app.artifact_bytes, app.total) == (900, 140, 18, 1058)
    found = place.collect(keep_jobs=1, dry_run=True).expired
    with place.database.read() as conn:
        (whole,) = weigh(conn, found, sizes)
    assert (whole.job, whole.whole, whole.log_bytes, whole.artifact_bytes) == (4, True, 70, 9)


def test_the_command_shows_what_would_go_job_by_job(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.publish(2)
    monkeypatch.setenv("PREAMP_KEEP_RELEASES", "1")
    monkeypatch.setenv("PREAMP_DATA", str(place.folder.root))
    shown = CliRunner().invoke(preamp, ["gc", "--dry-run"]).output.splitlines()
    assert shown[0].split() == ["APP", "BRANCH", "JOB", "RELEASE", "LOGS", "ARTIFACTS"]
    assert shown[1].split() == [place.app_id, "main", "1", "300", "-", "-"]
    assert shown[-1].startswith(f"{place.app_id}: 2 releases, 600 bytes;")
    found = json.loads(CliRunner().invoke(preamp, ["gc", "--dry-run", "--json"]).output)
    assert [(item["app_id"], item["job"], item["release_bytes"]) for item in found["jobs"]] == [
        (place.app_id, 1, 300)
    ]
    assert "removed            1 releases" in CliRunner().invoke(preamp, ["gc"]).output
    assert place.released() == [2]


def test_rows_of_deleted_branches_go(place: Place) -> None:
    kept = add_branch(place.database, add_app(place.database))
    with place.database.write() as tx:
        for branch_id in (place.branch_id, kept.branch_id):
            attempt = Attempt(branch_id=branch_id, number=1, attempt=1)
            attempts.insert_attempt(tx.conn, attempt, worker_id="w", now=1)
            steps.start_step(tx.conn, attempt, StepName.BUILD, context=None, now=1)
        branches.delete_branch(tx.conn, place.branch_id)
    assert place.collect(dry_run=True).branches == 1
    assert place.collect().branches == 1
    assert place.collect().branches == 0
    with place.database.read() as conn:
        for table in (tables.steps, tables.attempts):
            assert conn.execute(select(table.c.branch_id)).scalars().all() == [kept.branch_id]


@pytest.mark.parametrize(
    ("newest", "days", "expired"),
    [
        (None, None, []),
        (2, None, [2, 1]),
        (None, 5, [2, 1]),
        (1, 5, [2, 1]),
        (3, 5, [1]),
        (9, 1, []),
    ],
)
def test_either_limit_keeps(newest: int | None, days: int | None, expired: list[int]) -> None:
    items = [(number, number * 2 * DAY_MS) for number in (4, 3, 2, 1)]
    assert Keep(newest=newest, days=days).expired(items, 10 * DAY_MS) == expired
