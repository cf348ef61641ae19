"""Two neighbouring versions on one database, in both forms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.model.jobs import JobState
from preamp.model.times import now_ms
from preamp.store import branches
from preamp.store.database import Database, open_sqlite
from preamp.store.migrate import NewerDataError, upgrade
from preamp.store.postgres import open_postgres
from tests.support.next_versions import THIS, VERSIONS
from tests.support.postgres import Postgres
from tests.support.rows import NoEngine, add_app, add_branch, job_of, new_database, push

OLD, NEW, NEWEST = VERSIONS


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.url(postgres.new_database())


@pytest.fixture
def old(tmp_path: Path, url: str | None) -> Iterator[Database]:
    """As a running program of this version has it."""
    found = new_database(tmp_path, url)
    yield found
    found.close()


@pytest.fixture
def new(old: Database, tmp_path: Path, url: str | None) -> Iterator[Database]:
    """The same database, as another program has it."""
    found = open_postgres(url) if url else open_sqlite(tmp_path / "preamp.db")
    yield found
    found.close()


def version(database: Database) -> str | None:
    with database.read() as conn:
        return conn.scalar(text("SELECT version_num FROM alembic_version"))


def columns(database: Database, table: str) -> set[str]:
    with database.read() as conn:
        return {column["name"] for column in inspect(conn).get_columns(table)}


def test_a_running_program_goes_on_after_the_next_version_has_migrated(old: Database, new: Database) -> None:
    app = add_app(old)
    branch = add_branch(old, app)
    running = push(old, NoEngine(), branch)
    claim = claim_next(old, branch.branch_id, worker_id="old", concurrent_jobs=9)
    assert isinstance(claim, Claim)

    upgrade(new, NEW)
    assert version(new) == f"9001 {THIS}"
    assert {"note"} <= columns(new, "jobs")
    # The old one ends what it began, reads what the new one wrote, and accepts more.
    assert finish.fail(old, claim.attempt, reason="no", now=now_ms())
    assert job_of(new, branch, running.number).state is JobState.FAILED
    from_new = push(new, NoEngine(), branch)
    from_old = push(old, NoEngine(), branch)
    assert (from_new.number, from_old.number) == (2, 3)
    for database, number in ((old, from_new.number), (new, from_old.number)):
        found = claim_next(database, branch.branch_id, worker_id="w", concurrent_jobs=9)
        assert isinstance(found, Claim)
        assert found.job.number == number
        assert finish.fail(database, found.attempt, reason="no", now=now_ms())
    other = add_branch(old, app, "other")
    with new.read() as conn:
        assert branches.get_branch(conn, app.app_id, "other") == other
        assert conn.scalar(text("SELECT colour FROM branches WHERE name = 'other'")) == "red"


def test_a_program_of_the_version_before_may_start_but_none_older(old: Database, new: Database) -> None:
    upgrade(new, NEW)
    before = version(new)
    upgrade(old, OLD)
    upgrade(new, NEW)
    assert version(new) == before

    upgrade(new, NEWEST)
    assert version(new) == "9002 9001"
    upgrade(old, NEW)  # works still
    with pytest.raises(NewerDataError, match=f"schema 9002, this version knows up to {THIS}"):
        upgrade(old, OLD)
    assert version(new) == "9002 9001"


def test_versions_may_be_left_out_when_nothing_older_runs(old: Database, new: Database) -> None:
    branch = add_branch(old, add_app(old))
    job = push(old, NoEngine(), branch)
    upgrade(new, NEWEST)
    assert job_of(new, branch, job.number) == job
    assert "colour" in columns(new, "branches")


def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    old: Database, new: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_op: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(NEWEST[-1], "upgrade", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        upgrade(new, NEWEST)  # the first of its two migrations has worked
    assert version(new) == THIS
    assert "note" not in columns(new, "jobs")
    push(old, NoEngine(), add_branch(old, add_app(old)))
