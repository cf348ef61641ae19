"""What apps have stored, and what of it belongs to which job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from preamp.store.tables import artifacts, branches, releases, uploads


@dataclass(kw_only=True, slots=True)
class JobSizes:
    """Bytes of one job; blobs that several releases share are counted for each."""

    release: int | None = None
    """None: it has none any more."""
    uploads: int = 0
    artifacts: int = 0
    """Of tests, and pictures."""
    logs: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AppSizes:
    """Bytes of one app, all its jobs together."""

    app_id: str
    releases: int
    """How many."""
    release_bytes: int
    upload_bytes: int
    artifact_bytes: int
    log_bytes: int

    @property
    def total(self) -> int:
        return self.release_bytes + self.upload_bytes + self.artifact_bytes + self.log_bytes


def job_sizes(conn: Connection, logs: Mapping[tuple[int, int], int]) -> dict[tuple[int, int], JobSizes]:
    """By (branch id, job), of all jobs that have anything; `logs` are `LogStore.sizes()`."""
    found: dict[tuple[int, int], JobSizes] = defaultdict(JobSizes)
    for branch_id, number, size in conn.execute(
        select(releases.c.branch_id, releases.c.job, releases.c.total_bytes)
    ):
        found[branch_id, number].release = size
    for branch_id, number, size in conn.execute(
        select(uploads.c.branch_id, uploads.c.number, uploads.c.size)
    ):
        found[branch_id, number].uploads += size or 0
    for branch_id, number, size in conn.execute(
        select(artifacts.c.branch_id, artifacts.c.number, artifacts.c.size)
    ):
        found[branch_id, number].artifacts += size
    for key, size in logs.items():
        found[key].logs += size
    return found


def app_sizes(conn: Connection, jobs: Mapping[tuple[int, int], JobSizes]) -> list[AppSizes]:
    """Largest first. What belongs to branches that are gone is left out."""
    by_app: dict[str, list[JobSizes]] = defaultdict(list)
    apps = app_of_branches(conn)
    for (branch_id, _), sizes in jobs.items():
        if branch_id in apps:
            by_app[apps[branch_id][0]].append(sizes)
    found = [
        AppSizes(
            app_id=app_id,
            releases=sum(item.release is not None for item in items),
            release_bytes=sum(item.release or 0 for item in items),
            upload_bytes=sum(item.uploads for item in items),
            artifact_bytes=sum(item.artifacts for item in items),
            log_bytes=sum(item.logs for item in items),
        )
        for app_id, items in by_app.items()
    ]
    return sorted(found, key=lambda item: -item.total)


def app_of_branches(conn: Connection) -> dict[int, tuple[str, str]]:
    """(app id, branch name) by branch id."""
    rows = conn.execute(select(branches.c.branch_id, branches.c.app_id, branches.c.name))
    return {branch_id: (app_id, name) for branch_id, app_id, name in rows}
