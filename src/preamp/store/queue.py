"""What waits and runs, over all branches: what the dispatcher and `preamp queue` look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from preamp.model.apps import AppConfig, ComputeType
from preamp.model.caller import Scope
from preamp.model.jobs import JobState
from preamp.store import documents
from preamp.store.tables import apps, branches, jobs

_CHUNK = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """A branch that wants a slot."""

    app_id: str
    branch: str
    compute_type: ComputeType | None
    """None: its jobs build nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenJob:
    """An unfinished job."""

    app_id: str
    app_name: str
    branch_id: int
    branch: str
    number: int
    state: JobState
    stopping: bool
    since_ms: int
    """When it was asked to run; of a deployment whose upload is awaited: when it was created."""


def entrants(conn: Connection, branch_ids: Sequence[int]) -> dict[int, Entrant]:
    """By branch id; branches that are gone are left out."""
    found: dict[int, Entrant] = {}
    for begin in range(0, len(branch_ids), _CHUNK):
        rows = conn.execute(
            select(branches.c.branch_id, branches.c.app_id, branches.c.name, apps.c.config)
            .join(apps, apps.c.app_id == branches.c.app_id)
            .where(branches.c.branch_id.in_(branch_ids[begin : begin + _CHUNK]))
        )
        for branch_id, app_id, name, text in rows:
            config = documents.decode(text, AppConfig)
            compute_type = config.compute_type if config.repository is not None else None
            found[branch_id] = Entrant(app_id=app_id, branch=name, compute_type=compute_type)
    return found


def open_jobs(conn: Connection, scope: Scope, *, app_id: str | None = None) -> list[OpenJob]:
    """In the order in which they were asked for."""
    query = (
        select(
            jobs.c.app_id,
            apps.c.config,
            jobs.c.branch_id,
            branches.c.name,
            jobs.c.number,
            jobs.c.state,
            jobs.c.stop_requested_ms,
            jobs.c.started_ms,
            jobs.c.created_ms,
        )
        .join(branches, branches.c.branch_id == jobs.c.branch_id)
        .join(apps, apps.c.app_id == jobs.c.app_id)
        .where(jobs.c.ended_ms.is_(None), jobs.c.account == scope.account, jobs.c.region == scope.region)
        # Of one branch by number, whatever a clock said.
        .order_by(jobs.c.created_ms, jobs.c.branch_id, jobs.c.number)
    )
    if app_id is not None:
        query = query.where(jobs.c.app_id == app_id)
    return [
        OpenJob(
            app_id=row[0],
            app_name=documents.decode(row[1], AppConfig).name,
            branch_id=row[2],
            branch=row[3],
            number=row[4],
            state=JobState(row[5]),
            stopping=row[6] is not None,
            since_ms=row[7] or row[8],
        )
        for row in conn.execute(query)
    ]
