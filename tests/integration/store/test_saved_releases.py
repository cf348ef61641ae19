"""Databases of earlier releases: they are migrated, say what they said, and are worked on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.engine.recover import give_up
from preamp.model.jobs import Attempt
from preamp.model.times import now_ms
from preamp.server.prepare import prepare
from preamp.settings import Settings
from preamp.store import branches, jobs, secrets
from preamp.store.folder import DataFolder
from preamp.store.tables import metadata
from tests.support.control import InProcess, in_process
from tests.support.postgres import Postgres
from tests.support.saved_releases import MASTER_KEY, Saved, answers, saved_releases

REMAKE = "no release has this schema yet: write it anew with tools/save_release.sh"


@pytest.fixture(params=saved_releases(), ids=lambda saved: saved.folder.name)
def saved(request: pytest.FixtureRequest) -> Saved:
    found: Saved = request.param
    return found


@contextmanager
def migrated(data: Path, **settings: Any) -> Iterator[InProcess]:
    """A control process of this version on what was loaded."""
    prepare(DataFolder(data), Settings(data=data, master_key=MASTER_KEY, **settings))
    with in_process(data, master_key=MASTER_KEY, **settings) as preamp:
        yield preamp


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def preamp(request: pytest.FixtureRequest, saved: Saved, tmp_path: Path) -> Iterator[InProcess]:
    if request.param == "sqlite":
        saved.load_sqlite(tmp_path / "data")
        with migrated(tmp_path / "data") as it:
            yield it
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.url(postgres.new_database())
    saved.load_postgresql(url)
    with migrated(tmp_path / "data", database=url) as it:
        yield it


def test_the_migrated_tables_are_those_of_this_version(preamp: InProcess) -> None:
    with preamp.database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == [], REMAKE


def test_it_says_what_it_said_before(preamp: InProcess, saved: Saved) -> None:
    """A later version may say more."""
    assert missing(saved.answers(), answers(preamp)) == []


def test_work_goes_on(preamp: InProcess) -> None:
    """What ran when it was saved is taken over, what waited runs, what is asked for is accepted."""
    client, database = preamp.client(), preamp.database
    app = next(app for app in client.list_apps()["apps"] if app["name"] == "site")
    app_id = app["appId"]
    with database.read() as conn:
        branch = branches.get_branch(conn, app_id, "main")
        running = [attempt for attempt, _ in jobs.held(conn)]
        sealed = secrets.list_secrets(conn, preamp.control.services.master, app_id)
    assert branch is not None
    assert [secret.value for secret in sealed] == ["s"]
    assert [attempt.number for attempt in running] == [5]
    assert give_up(database, running[0], reason="died", now=now_ms())
    again = Attempt(branch_id=branch.branch_id, number=5, attempt=running[0].attempt + 1)
    for expected in (again, Attempt(branch_id=branch.branch_id, number=6, attempt=1)):
        claim = claim_next(database, branch.branch_id, worker_id="new", concurrent_jobs=9)
        assert isinstance(claim, Claim)
        assert claim.attempt == expected
        assert finish.fail(database, claim.attempt, reason="no", now=now_ms())
    started = client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    assert started["jobSummary"]["jobId"] == "7"
    client.update_app(appId=app_id, description="changed")
    client.delete_branch(appId=app_id, branchName="feature/one")


def missing(before: Any, after: Any, where: str = "") -> list[str]:
    """What is not as it was; members that came in addition do not count."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            problem
            for key, value in before.items()
            for problem in missing(value, after.get(key), f"{where}.{key}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [problem for n, (old, new) in pairs for problem in missing(old, new, f"{where}[{n}]")]
    return [] if before == after else [f"{where}: {before!r} became {after!r}"]
