"""Rows to test with, made through the store's own functions."""

from __future__ import annotations

from pathlib import Path

from preamp.engine.accept import accept_job
from preamp.model.apps import App, AppConfig
from preamp.model.branches import Branch, BranchConfig
from preamp.model.caller import Scope
from preamp.model.ids import branch_label, new_app_id
from preamp.model.jobs import Commit, Job, JobType
from preamp.model.times import now_ms
from preamp.store import apps, branches, jobs
from preamp.store.database import Database, Write, open_sqlite
from preamp.store.migrate import upgrade
from preamp.store.postgres import open_postgres

SCOPE = Scope(account="000000000000", region="us-east-1")


def new_database(folder: Path, url: str | None = None) -> Database:
    """A migrated database: a file in `folder`, or the empty PostgreSQL database at `url`; close it."""
    database = open_postgres(url) if url else open_sqlite(folder / "preamp.db")
    upgrade(database)
    return database


def add_app(database: Database, *, scope: Scope = SCOPE, **config: object) -> App:
    now = now_ms()
    app = App(
        app_id=new_app_id(),
        scope=scope,
        config=AppConfig(**{"name": "site", **config}),  # type: ignore[arg-type]
        created_ms=now,
        updated_ms=now,
    )
    with database.write() as tx:
        apps.insert_app(tx.conn, app)
    return app


def add_branch(database: Database, app: App, name: str = "main", **config: object) -> Branch:
    with database.write() as tx:
        return branches.insert_branch(
            tx.conn,
            app_id=app.app_id,
            name=name,
            label=branch_label(name),
            config=BranchConfig(**config),  # type: ignore[arg-type]
            tags={},
            now=now_ms(),
        )


class NoEngine:
    """Remembers wake-ups and carries none."""

    def __init__(self) -> None:
        self.woken: list[int] = []

    def wake(self, tx: Write, branch_id: int) -> None:
        tx.after_commit(lambda: self.woken.append(branch_id))


def job_of(database: Database, branch: Branch, number: int) -> Job:
    with database.read() as conn:
        job = jobs.get_job(conn, branch.branch_id, number)
    assert job is not None, f"branch {branch.name} has no job {number}"
    return job


def push(database: Database, engine: object, branch: Branch) -> Job:
    """A queued RELEASE job."""
    with database.write() as tx:
        return accept_job(
            tx,
            engine,  # type: ignore[arg-type]
            scope=SCOPE,
            branch=branch,
            type=JobType.RELEASE,
            commit=Commit(commit_id="HEAD"),
            reason=None,
            now=now_ms(),
            queue=True,
        )
