"""Serve another stored release by hand: back to an earlier one, or the one of another branch.

Jobs only ever move a branch forward; these two are explicit and may move it anywhere. The next job that
succeeds moves it forward again, for its number is higher than every other.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.errors import BadRequest, NotFound
from preamp.model.ids import new_release_id
from preamp.model.jobs import JobState, JobType, new_job
from preamp.model.releases import Release
from preamp.model.switches import Switch, SwitchKind
from preamp.store import branches, changes, jobs, releases, switches
from preamp.store.database import Write


def roll_back(tx: Write, branch: Branch, *, job: int | None, actor: str, now: int) -> Switch:
    """Serve the release of `job`, without one that of the newest earlier job that has a release.

    Raises NotFound when there is no such release, BadRequest when it is served already. What was served
    stays stored and can be switched to in turn.
    """
    release = _release_to(tx.conn, branch, job)
    if release.release_id == branch.active_release:
        raise BadRequest(f"The branch {branch.name[:100]} serves job {release.job} already.")
    return _serve(
        tx,
        branch,
        release,
        Switch(
            branch_id=branch.branch_id,
            kind=SwitchKind.ROLLBACK,
            from_job=branch.active_job,
            to_job=release.job,
            source_branch=None,
            source_job=None,
            actor=actor,
            at_ms=now,
        ),
    )


def promote(tx: Write, app: App, source: Branch, target: Branch, *, actor: str, now: int) -> Switch:
    """Serve in `target` what `source` serves now, byte for byte.

    The target gets a job of its own for it, SUCCEED from the beginning and without steps, so that the API
    can show what is active. Raises NotFound when the source serves nothing, BadRequest when both are one
    branch or serve the same already.
    """
    if source.branch_id == target.branch_id:
        raise BadRequest("A branch cannot be promoted to itself.")
    conn = tx.conn
    release = releases.get_release(conn, source.active_release) if source.active_release else None
    if release is None:
        raise NotFound(f"The branch {source.name[:100]} serves nothing yet.")
    served = releases.get_release(conn, target.active_release) if target.active_release else None
    if served is not None and served.manifest == release.manifest:
        raise BadRequest(f"The branches {source.name[:100]} and {target.name[:100]} serve the same already.")
    built = jobs.get_job(conn, source.branch_id, release.job)
    number = branches.next_job_number(conn, target.branch_id)
    jobs.insert_job(
        conn,
        new_job(
            branch_id=target.branch_id,
            number=number,
            type=JobType.RELEASE if built and built.commit else JobType.MANUAL,
            state=JobState.SUCCEED,
            reason=f"Promoted from job {release.job} of branch {source.name}",
            commit=built.commit if built else None,
            now=now,
            ended_ms=now,
        ),
        scope=app.scope,
        app_id=app.app_id,
    )
    copy = replace(
        release, release_id=new_release_id(), branch_id=target.branch_id, job=number, created_ms=now
    )
    releases.insert_release(conn, copy)
    return _serve(
        tx,
        target,
        copy,
        Switch(
            branch_id=target.branch_id,
            kind=SwitchKind.PROMOTE,
            from_job=target.active_job,
            to_job=number,
            source_branch=source.name,
            source_job=release.job,
            actor=actor,
            at_ms=now,
        ),
    )


def _release_to(conn: Connection, branch: Branch, job: int | None) -> Release:
    if job is not None:
        found = releases.get_release_of_job(conn, branch.branch_id, job)
        if found is None:
            raise NotFound(f"The job {job} of branch {branch.name[:100]} has no release.")
        return found
    if branch.active_job is None:
        raise NotFound(f"The branch {branch.name[:100]} serves nothing yet.")
    earlier = releases.releases_before(conn, branch.branch_id, job=branch.active_job, limit=1)
    if not earlier:
        raise NotFound(f"The branch {branch.name[:100]} has no earlier release than job {branch.active_job}.")
    return earlier[0]


def _serve(tx: Write, branch: Branch, release: Release, switch: Switch) -> Switch:
    branches.switch(tx.conn, branch.branch_id, job=release.job, release_id=release.release_id)
    switches.insert_switch(tx.conn, switch)
    changes.record(tx, branch.app_id, now=switch.at_ms)
    return switch
