"""How long jobs, releases, logs and artifacts are kept, and their removal.

Of each kind the newest N of a branch are kept, and what is younger than some days; with both limits, what
either keeps is kept. Never removed: unfinished jobs, the release that is served, and those that skew
protection still serves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from preamp.engine.stop import delete_job
from preamp.model.branches import BranchConfig
from preamp.model.jobs import TERMINAL
from preamp.settings import Settings
from preamp.store import artifacts, documents, jobs, releases, uploads
from preamp.store import tables as t
from preamp.store.database import Database, Write, branch_lock
from preamp.store.logs import LogStore

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """A limit of one kind; None twice: everything is kept."""

    newest: int | None
    days: int | None

    def expired(self, items: Sequence[tuple[int, int]], now: int) -> list[int]:
        """`items`: (number, time), newest first; the numbers of those that neither limit keeps."""
        if self.newest is None and self.days is None:
            return []
        kept = self.newest or 0
        oldest = now - self.days * DAY_MS if self.days is not None else None
        return [number for number, at_ms in items[kept:] if oldest is None or at_ms < oldest]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expired:
    """What goes, by (branch id, job number)."""

    jobs: tuple[tuple[int, int], ...]
    releases: tuple[tuple[int, int], ...]
    logs: tuple[tuple[int, int], ...]
    artifacts: tuple[tuple[int, int], ...]


def find_expired(database: Database, settings: Settings, *, now: int) -> Expired:
    """Looks at every job; changes nothing."""
    found: dict[str, list[tuple[int, int]]] = {"jobs": [], "releases": [], "logs": [], "artifacts": []}
    with database.read() as conn:
        rows = conn.execute(
            select(t.branches.c.branch_id, t.branches.c.active_job, t.branches.c.config)
        ).all()
        for branch_id, active, config in rows:
            spared = _spared(conn, settings, branch_id, active, config)
            over = [
                (row[0], row[1])
                for row in conn.execute(
                    select(t.jobs.c.number, t.jobs.c.ended_ms)
                    .where(t.jobs.c.branch_id == branch_id, t.jobs.c.ended_ms.is_not(None))
                    .order_by(t.jobs.c.number.desc())
                )
            ]
            stored = [
                (row[0], row[1])
                for row in conn.execute(
                    select(t.releases.c.job, t.releases.c.created_ms)
                    .where(t.releases.c.branch_id == branch_id)
                    .order_by(t.releases.c.job.desc())
                )
            ]
            having = {
                row[0]
                for table in (t.artifacts, t.uploads)
                for row in conn.execute(
                    select(table.c.number).where(table.c.branch_id == branch_id).distinct()
                )
            }
            for kind, keep, items, protected in (
                ("jobs", Keep(newest=settings.keep_jobs, days=settings.keep_job_days), over, spared),
                (
                    "releases",
                    Keep(newest=settings.keep_releases, days=settings.keep_release_days),
                    stored,
                    spared,
                ),
                ("logs", Keep(newest=settings.keep_logs, days=settings.keep_log_days), over, set()),
                (
                    "artifacts",
                    Keep(newest=settings.keep_artifacts, days=settings.keep_artifact_days),
                    [item for item in over if item[0] in having],
                    set(),
                ),
            ):
                numbers = keep.expired(items, now)
                found[kind] += [(branch_id, number) for number in numbers if number not in protected]
    return Expired(**{kind: tuple(items) for kind, items in found.items()})


def _spared(
    conn: Connection, settings: Settings, branch_id: int, active: int | None, config: str
) -> set[int]:
    """Jobs whose releases are served."""
    if active is None:
        return set()
    spared = {active}
    if documents.decode(config, BranchConfig).enable_skew_protection:
        older = releases.releases_beside(conn, branch_id, job=active, limit=settings.skew_releases)
        spared.update(release.job for release in older)
    return spared


class _Nobody:
    """Jobs that are over wake nobody."""

    def wake(self, tx: Write, branch_id: int) -> None:
        return


def remove_expired(database: Database, logs: LogStore, expired: Expired) -> None:
    """Each in a transaction of its own, checked again in it: a rollback can have come in between."""
    for branch_id, number in expired.jobs:
        with database.write(branch_lock(branch_id)) as tx:
            job = jobs.get_job(tx.conn, branch_id, number)
            removed = job is not None and job.state in TERMINAL and not _is_served(tx.conn, branch_id, number)
            if job is not None and removed:
                delete_job(tx, _Nobody(), job)
        if removed:
            logs.delete_job(branch_id, number)
    for branch_id, number in expired.releases:
        with database.write(branch_lock(branch_id)) as tx:
            if not _is_served(tx.conn, branch_id, number):
                releases.delete_release_of_job(tx.conn, branch_id, number)
    for branch_id, number in expired.logs:
        logs.delete_job(branch_id, number)
    actions: tuple[Callable[[Connection, int, int], None], ...] = (
        artifacts.delete_artifacts,
        uploads.delete_uploads,
    )
    for branch_id, number in expired.artifacts:
        with database.write(branch_lock(branch_id)) as tx:
            for action in actions:
                action(tx.conn, branch_id, number)


def _is_served(conn: Connection, branch_id: int, number: int) -> bool:
    query = select(t.branches.c.branch_id).where(
        t.branches.c.branch_id == branch_id, t.branches.c.active_job == number
    )
    return conn.scalar(query) is not None
