"""Look up what a request names, or answer as Amplify does when it is not there."""

from __future__ import annotations

from sqlalchemy import Connection

from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.caller import Caller
from preamp.model.errors import BadRequest, NotFound
from preamp.model.jobs import Job
from preamp.store import apps, branches, jobs

MAX_NUMBER = 2**31 - 1


def find_app(conn: Connection, caller: Caller, app_id: str) -> App:
    """Raises NotFound, also for an app of another account or region."""
    app = apps.get_app(conn, caller.scope, app_id)
    if app is None:
        raise NotFound(f"App {app_id} not found.")
    return app


def find_branch(conn: Connection, caller: Caller, app_id: str, name: str) -> tuple[App, Branch]:
    """Raises NotFound."""
    app, branch = branches.get_with_app(conn, caller.scope, app_id, name)
    if app is None:
        raise NotFound(f"App {app_id} not found.")
    if branch is None:
        raise NotFound(f"Branch {name} not found."[:255])
    return app, branch


def find_job(conn: Connection, branch: Branch, job_id: str) -> Job:
    """Raises NotFound; BadRequest when the id is no number."""
    if not (job_id.isascii() and job_id.isdigit()):
        raise BadRequest("The jobId must be a number.")
    number = int(job_id)
    job = jobs.get_job(conn, branch.branch_id, number) if number <= MAX_NUMBER else None
    if job is None:
        raise NotFound(f"Job {job_id[:100]} not found.")
    return job
