"""Jobs: named queries. Every change of state is a guarded update: one row or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from preamp.model.caller import Scope
from preamp.model.jobs import (
    TERMINAL,
    Attempt,
    Commit,
    Job,
    JobState,
    JobType,
    SourceUrlType,
    sources_of,
)
from preamp.store.prepared import Prepared
from preamp.store.tables import jobs

_FACTS = (
    jobs.c.branch_id,
    jobs.c.number,
    jobs.c.type,
    jobs.c.state,
    jobs.c.stop_requested_ms,
    jobs.c.reason,
    jobs.c.commit_id,
    jobs.c.commit_message,
    jobs.c.commit_time_ms,
    jobs.c.source_url,
    jobs.c.source_url_type,
    jobs.c.created_ms,
    jobs.c.started_ms,
    jobs.c.ended_ms,
    jobs.c.attempt,
    jobs.c.status_reason,
)
"""In the order in which `_job` unpacks them."""
_ABOVE_ALL = 2**31 - 1
_TYPES = {kind.value: kind for kind in JobType}
_STATES = {state.value: state for state in JobState}

_GET = Prepared(
    select(*_FACTS).where(jobs.c.branch_id == bindparam("branch"), jobs.c.number == bindparam("job"))
)
_PAGE = Prepared(
    select(*_FACTS)
    .where(jobs.c.branch_id == bindparam("branch"), jobs.c.number < bindparam("before"))
    .order_by(jobs.c.number.desc())
    .limit(bindparam("most"))
)
_NUMBERS = Prepared(
    select(jobs.c.number)
    .where(jobs.c.branch_id == bindparam("branch"), jobs.c.number < bindparam("before"))
    .order_by(jobs.c.number.desc())
    .limit(bindparam("most"))
)


def insert_job(conn: Connection, job: Job, *, scope: Scope, app_id: str, pushed: bool = False) -> None:
    commit = job.commit
    conn.execute(
        insert(jobs).values(
            branch_id=job.branch_id,
            number=job.number,
            app_id=app_id,
            account=scope.account,
            region=scope.region,
            type=job.type,
            state=job.state,
            reason=job.reason,
            commit_id=commit.commit_id if commit else None,
            commit_message=commit.message if commit else None,
            commit_time_ms=commit.time_ms if commit else None,
            source_url=job.source_url,
            source_url_type=job.source_url_type,
            created_ms=job.created_ms,
            started_ms=job.started_ms,
            ended_ms=job.ended_ms,
            pushed=pushed,
        )
    )


def get_job(conn: Connection, branch_id: int, number: int) -> Job | None:
    row = _GET.first(conn, branch=branch_id, job=number)
    return _job(row) if row else None


def page_jobs(conn: Connection, branch_id: int, *, before: int | None, limit: int) -> list[Job]:
    """Newest first; a next page goes on before the last number."""
    last = _ABOVE_ALL if before is None else before
    rows = _PAGE.all(conn, branch=branch_id, before=last, most=limit)
    return [_job(row) for row in rows]


def page_numbers(conn: Connection, branch_id: int, *, before: int | None, limit: int) -> list[int]:
    """Of what `page_jobs` returns."""
    last = _ABOVE_ALL if before is None else before
    return [row[0] for row in _NUMBERS.all(conn, branch=branch_id, before=last, most=limit)]


def unfinished(conn: Connection, branch_id: int) -> list[Job]:
    """Oldest first: everything of the branch that has not reached a terminal state."""
    rows = conn.execute(
        select(*_FACTS)
        .where(jobs.c.branch_id == branch_id, jobs.c.ended_ms.is_(None))
        .order_by(jobs.c.number)
    )
    return [_job(row) for row in rows]


def unfinished_of_app(conn: Connection, app_id: str) -> list[int]:
    """The branch ids of an app that have unfinished jobs."""
    rows = conn.execute(
        select(jobs.c.branch_id).where(jobs.c.app_id == app_id, jobs.c.ended_ms.is_(None)).distinct()
    )
    return [row[0] for row in rows]


def scope_of(conn: Connection, branch_id: int, number: int) -> Scope | None:
    row = conn.execute(select(jobs.c.account, jobs.c.region).where(_is(branch_id, number))).first()
    return Scope(account=row[0], region=row[1]) if row else None


def running_in(conn: Connection, scope: Scope) -> int:
    """How many jobs of the account and region run now."""
    return (
        conn.scalar(
            select(func.count())
            .select_from(jobs)
            .where(
                jobs.c.account == scope.account,
                jobs.c.region == scope.region,
                jobs.c.state == JobState.RUNNING,
                jobs.c.ended_ms.is_(None),
            )
        )
        or 0
    )


def waiting_pushes(conn: Connection, branch_id: int, *, before: int) -> list[int]:
    """The numbers of earlier jobs of the branch that pushes started and that wait, oldest first."""
    rows = conn.execute(
        select(jobs.c.number)
        .where(
            jobs.c.branch_id == branch_id,
            jobs.c.ended_ms.is_(None),
            jobs.c.state == JobState.PENDING,
            jobs.c.number < before,
            jobs.c.pushed,
        )
        .order_by(jobs.c.number)
    )
    return [row[0] for row in rows]


def branches_to_look_at(conn: Connection) -> list[int]:
    """Branches with a job that waits, or that runs and was asked to stop; longest waiting first."""
    waiting = (jobs.c.state == JobState.PENDING) | (jobs.c.stop_requested_ms.is_not(None))
    rows = conn.execute(
        select(jobs.c.branch_id)
        .where(jobs.c.ended_ms.is_(None), waiting)
        .group_by(jobs.c.branch_id)
        .order_by(func.min(jobs.c.started_ms))
    )
    return [row[0] for row in rows]


def held(conn: Connection) -> list[tuple[Attempt, str]]:
    """Attempts that workers hold, with the worker's id."""
    rows = conn.execute(
        select(jobs.c.branch_id, jobs.c.number, jobs.c.attempt, jobs.c.worker_id).where(
            jobs.c.state == JobState.RUNNING, jobs.c.ended_ms.is_(None)
        )
    )
    return [(Attempt(branch_id=row[0], number=row[1], attempt=row[2]), row[3]) for row in rows]


def claim(conn: Connection, branch_id: int, number: int, *, worker_id: str) -> Attempt | None:
    """Give a pending job to a worker under a new attempt number; None when it is not pending."""
    attempt = conn.scalar(
        _move(branch_id, number, JobState.RUNNING)
        .values(attempt=jobs.c.attempt + 1, worker_id=worker_id)
        .returning(jobs.c.attempt)
    )
    if attempt is None:
        return None
    return Attempt(branch_id=branch_id, number=number, attempt=attempt)


def start_deployment(
    conn: Connection,
    branch_id: int,
    number: int,
    *,
    source_url: str | None,
    source_url_type: SourceUrlType | None,
    now: int,
) -> bool:
    """CREATED -> PENDING. False when the deployment is in another state."""
    done = conn.execute(
        _move(branch_id, number, JobState.PENDING)
        .where(jobs.c.state == JobState.CREATED)
        .values(started_ms=now, source_url=source_url, source_url_type=source_url_type)
    )
    return done.rowcount == 1


def is_current(conn: Connection, attempt: Attempt) -> bool:
    """Whether the attempt may still write: it is the newest one and its job runs."""
    return conn.scalar(select(jobs.c.number).where(_held_by(attempt))) is not None


def stop_requested(conn: Connection, attempt: Attempt) -> bool:
    return (
        conn.scalar(select(jobs.c.number).where(_held_by(attempt), jobs.c.stop_requested_ms.is_not(None)))
        is not None
    )


def set_commit(conn: Connection, attempt: Attempt, commit: Commit) -> bool:
    """What the build resolved; False when the attempt is no longer current."""
    done = conn.execute(
        update(jobs)
        .where(_held_by(attempt))
        .values(
            commit_id=commit.commit_id,
            commit_message=commit.message,
            commit_time_ms=commit.time_ms,
        )
    )
    return done.rowcount == 1


def succeed(conn: Connection, attempt: Attempt, *, now: int) -> bool:
    """RUNNING -> SUCCEED. False when the attempt is not current or a stop was asked for."""
    done = conn.execute(
        update(jobs)
        .where(_held_by(attempt), jobs.c.stop_requested_ms.is_(None))
        .values(state=JobState.SUCCEED, ended_ms=now)
    )
    return done.rowcount == 1


def has_succeeded(conn: Connection, attempt: Attempt) -> bool:
    """Whether it was this attempt that ended its job with success."""
    return (
        conn.scalar(
            select(jobs.c.number).where(
                _is(attempt.branch_id, attempt.number),
                jobs.c.attempt == attempt.attempt,
                jobs.c.state == JobState.SUCCEED,
            )
        )
        is not None
    )


def finish(
    conn: Connection, attempt: Attempt, state: JobState, *, status_reason: str | None, now: int
) -> bool:
    """RUNNING -> FAILED or CANCELLED. False when the attempt is not current."""
    done = conn.execute(
        update(jobs).where(_held_by(attempt)).values(state=state, ended_ms=now, status_reason=status_reason)
    )
    return done.rowcount == 1


def hand_back(conn: Connection, attempt: Attempt) -> bool:
    """RUNNING -> PENDING: the attempt is over, the job is not. False when it is not current."""
    done = conn.execute(update(jobs).where(_held_by(attempt)).values(state=JobState.PENDING, worker_id=None))
    return done.rowcount == 1


def request_stop(conn: Connection, branch_id: int, number: int, *, now: int) -> bool:
    """Ask the worker to stop; False when the job does not run. Asking twice changes nothing."""
    done = conn.execute(
        update(jobs)
        .where(_is(branch_id, number), jobs.c.state == JobState.RUNNING)
        .values(stop_requested_ms=func.coalesce(jobs.c.stop_requested_ms, now))
    )
    return done.rowcount == 1


def cancel_waiting(conn: Connection, branch_id: int, number: int, *, status_reason: str, now: int) -> bool:
    """CREATED or PENDING -> CANCELLED. False when a worker holds it or it is over."""
    done = conn.execute(
        _move(branch_id, number, JobState.CANCELLED)
        .where(jobs.c.state != JobState.RUNNING)
        .values(ended_ms=now, stop_requested_ms=now, status_reason=status_reason)
    )
    return done.rowcount == 1


def fail_waiting(conn: Connection, branch_id: int, number: int, *, status_reason: str, now: int) -> bool:
    """CREATED or PENDING -> FAILED. False when a worker holds it or it is over."""
    done = conn.execute(
        _move(branch_id, number, JobState.FAILED)
        .where(jobs.c.state != JobState.RUNNING)
        .values(ended_ms=now, status_reason=status_reason)
    )
    return done.rowcount == 1


def created_before(conn: Connection, before_ms: int) -> list[tuple[int, int]]:
    """(branch id, number) of deployments that were created before that time and wait to be started."""
    rows = conn.execute(
        select(jobs.c.branch_id, jobs.c.number).where(
            jobs.c.ended_ms.is_(None), jobs.c.state == JobState.CREATED, jobs.c.created_ms < before_ms
        )
    )
    return [(row[0], row[1]) for row in rows]


def fail_created(conn: Connection, branch_id: int, number: int, *, status_reason: str, now: int) -> bool:
    """CREATED -> FAILED. False when the deployment is in another state."""
    done = conn.execute(
        _move(branch_id, number, JobState.FAILED)
        .where(jobs.c.state == JobState.CREATED)
        .values(ended_ms=now, status_reason=status_reason)
    )
    return done.rowcount == 1


def delete_job(conn: Connection, branch_id: int, number: int) -> bool:
    """False when a worker holds the job or there is none."""
    deletable = TERMINAL | {JobState.CREATED, JobState.PENDING}
    done = conn.execute(delete(jobs).where(_is(branch_id, number), jobs.c.state.in_(deletable)))
    return done.rowcount == 1


def _is(branch_id: int, number: int) -> ColumnElement[bool]:
    return (jobs.c.branch_id == branch_id) & (jobs.c.number == number)


def _held_by(attempt: Attempt) -> ColumnElement[bool]:
    return (
        _is(attempt.branch_id, attempt.number)
        & (jobs.c.attempt == attempt.attempt)
        & (jobs.c.state == JobState.RUNNING)
    )


def _move(branch_id: int, number: int, target: JobState) -> Update:
    return (
        update(jobs).where(_is(branch_id, number), jobs.c.state.in_(sources_of(target))).values(state=target)
    )


def _job(row: Sequence[Any]) -> Job:
    """From `_FACTS`. By position: a page has fifty of these."""
    (
        branch_id,
        number,
        kind,
        state,
        stop_requested_ms,
        reason,
        commit_id,
        commit_message,
        commit_time_ms,
        source_url,
        source_url_type,
        created_ms,
        started_ms,
        ended_ms,
        attempt,
        status_reason,
    ) = row
    commit = None
    if commit_id:
        commit = Commit(commit_id=commit_id, message=commit_message, time_ms=commit_time_ms)
    return Job(
        branch_id=branch_id,
        number=number,
        type=_TYPES[kind],
        state=_STATES[state],
        stop_requested_ms=stop_requested_ms,
        reason=reason,
        commit=commit,
        source_url=source_url,
        source_url_type=SourceUrlType(source_url_type) if source_url_type else None,
        created_ms=created_ms,
        started_ms=started_ms,
        ended_ms=ended_ms,
        attempt=attempt,
        status_reason=status_reason,
    )
