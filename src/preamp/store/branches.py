"""Branches: named queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from preamp.model.apps import App
from preamp.model.branches import Branch, BranchConfig
from preamp.model.caller import Scope
from preamp.store import documents
from preamp.store.apps import FACTS as APP_FACTS
from preamp.store.apps import app_of
from preamp.store.prepared import Prepared
from preamp.store.tables import apps, branches

_FACTS = (
    branches.c.branch_id,
    branches.c.app_id,
    branches.c.name,
    branches.c.label,
    branches.c.config,
    branches.c.created_ms,
    branches.c.updated_ms,
    branches.c.last_job,
    branches.c.job_count,
    branches.c.active_job,
    branches.c.active_release,
    branches.c.tags,
)
"""In the order in which `_branch` unpacks them."""
_GET = Prepared(
    select(*_FACTS).where(branches.c.app_id == bindparam("app"), branches.c.name == bindparam("branch"))
)
_OF_APP = Prepared(
    select(*_FACTS).where(branches.c.app_id == bindparam("app")).order_by(branches.c.branch_id)
)
_GET_WITH_APP = Prepared(
    select(*_FACTS, *APP_FACTS)
    .select_from(apps)
    .outerjoin(branches, (branches.c.app_id == apps.c.app_id) & (branches.c.name == bindparam("branch")))
    .where(
        apps.c.app_id == bindparam("app"),
        apps.c.account == bindparam("account"),
        apps.c.region == bindparam("region"),
    )
)


def insert_branch(
    conn: Connection,
    *,
    app_id: str,
    name: str,
    label: str,
    config: BranchConfig,
    tags: Mapping[str, str],
    now: int,
) -> Branch:
    """`name` and `label` must be free in the app (IntegrityError otherwise)."""
    row = conn.execute(
        insert(branches)
        .values(
            app_id=app_id,
            name=name,
            label=label,
            config=documents.encode(config),
            tags=documents.encode(tags),
            created_ms=now,
            updated_ms=now,
        )
        .returning(*_FACTS)
    )
    return _branch(row.one())


def get_branch(conn: Connection, app_id: str, name: str) -> Branch | None:
    found = _GET.first(conn, app=app_id, branch=name)
    return _branch(found) if found else None


def get_with_app(conn: Connection, scope: Scope, app_id: str, name: str) -> tuple[App | None, Branch | None]:
    """An app and a branch of it, in one query: nearly every request begins with these two."""
    row = _GET_WITH_APP.first(conn, app=app_id, branch=name, account=scope.account, region=scope.region)
    if row is None:
        return None, None
    branch, app = row[: len(_FACTS)], row[len(_FACTS) :]
    return app_of(app), _branch(branch) if branch[0] is not None else None


def get_branch_by_id(conn: Connection, branch_id: int) -> Branch | None:
    found = conn.execute(select(*_FACTS).where(branches.c.branch_id == branch_id)).first()
    return _branch(found) if found else None


def page_branches(conn: Connection, app_id: str, *, after: int, limit: int) -> list[Branch]:
    """In creation order; a next page goes on after the last `branch_id`."""
    rows = conn.execute(
        select(*_FACTS)
        .where(branches.c.app_id == app_id, branches.c.branch_id > after)
        .order_by(branches.c.branch_id)
        .limit(limit)
    )
    return [_branch(row) for row in rows]


def branches_of_apps(conn: Connection, app_ids: Sequence[str]) -> list[Branch]:
    """All branches of some apps, in creation order."""
    if len(app_ids) == 1:
        return [_branch(row) for row in _OF_APP.all(conn, app=app_ids[0])]
    rows = conn.execute(select(*_FACTS).where(branches.c.app_id.in_(app_ids)).order_by(branches.c.branch_id))
    return [_branch(row) for row in rows]


def count_branches(conn: Connection, app_id: str) -> int:
    return conn.scalar(select(func.count()).where(branches.c.app_id == app_id)) or 0


def label_taken(conn: Connection, app_id: str, label: str, *, except_branch: int | None = None) -> bool:
    query = select(branches.c.branch_id).where(branches.c.app_id == app_id, branches.c.label == label)
    if except_branch is not None:
        query = query.where(branches.c.branch_id != except_branch)
    return conn.scalar(query) is not None


def update_branch(conn: Connection, branch_id: int, *, label: str, config: BranchConfig, now: int) -> None:
    conn.execute(
        update(branches)
        .where(branches.c.branch_id == branch_id)
        .values(label=label, config=documents.encode(config), updated_ms=now)
    )


def update_tags(conn: Connection, branch_id: int, tags: Mapping[str, str]) -> None:
    conn.execute(
        update(branches).where(branches.c.branch_id == branch_id).values(tags=documents.encode(tags))
    )


def next_job_number(conn: Connection, branch_id: int) -> int:
    """Take the branch's next number; it is never given out again, even when the job is deleted."""
    number = conn.scalar(
        update(branches)
        .where(branches.c.branch_id == branch_id)
        .values(last_job=branches.c.last_job + 1, job_count=branches.c.job_count + 1)
        .returning(branches.c.last_job)
    )
    if number is None:
        raise LookupError(f"branch {branch_id} is gone")
    return int(number)


def forget_job(conn: Connection, branch_id: int) -> None:
    """One job fewer."""
    conn.execute(
        update(branches).where(branches.c.branch_id == branch_id).values(job_count=branches.c.job_count - 1)
    )


def advance(conn: Connection, branch_id: int, *, job: int, release_id: str) -> bool:
    """Serve `release_id`, unless a release of a later job is served already (then False)."""
    done = conn.execute(
        update(branches)
        .where(
            branches.c.branch_id == branch_id,
            or_(branches.c.active_job.is_(None), branches.c.active_job < job),
        )
        .values(active_job=job, active_release=release_id)
    )
    return done.rowcount == 1


def switch(conn: Connection, branch_id: int, *, job: int, release_id: str) -> None:
    """Serve `release_id` whatever is served now; only for somebody who says so."""
    conn.execute(
        update(branches)
        .where(branches.c.branch_id == branch_id)
        .values(active_job=job, active_release=release_id)
    )


def delete_branch(conn: Connection, branch_id: int) -> None:
    """Jobs, releases and uploads go with it."""
    conn.execute(delete(branches).where(branches.c.branch_id == branch_id))


def _branch(row: Sequence[Any]) -> Branch:
    """From `_FACTS`."""
    (
        branch_id,
        app_id,
        name,
        label,
        config,
        created_ms,
        updated_ms,
        last_job,
        job_count,
        active_job,
        active_release,
        tags,
    ) = row
    return Branch(
        branch_id=branch_id,
        app_id=app_id,
        name=name,
        label=label,
        config=documents.decode(config, BranchConfig),
        created_ms=created_ms,
        updated_ms=updated_ms,
        last_job=last_job,
        job_count=job_count,
        active_job=active_job,
        active_release=active_release,
        tags=documents.decode_map(tags),
    )
