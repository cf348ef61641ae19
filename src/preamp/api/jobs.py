"""StartJob, GetJob, ListJobs, StopJob, DeleteJob (behaviour reference, sections 3.4, 4 and 13)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_branch, find_job
from preamp.api.job_summaries import present_summary
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.engine.accept import accept_job
from preamp.engine.stop import delete_job as remove_job
from preamp.engine.stop import stop_job as request_stop
from preamp.model.artifacts import Artifact, ArtifactKind
from preamp.model.branches import Branch
from preamp.model.caller import Caller
from preamp.model.errors import BadRequest
from preamp.model.jobs import Attempt, Commit, Job, JobType, Step, StepName
from preamp.model.times import milliseconds, now_ms, seconds
from preamp.store import artifacts, releases, steps

HEAD = "HEAD"


def start_job(services: Services, caller: Caller, request: shapes.StartJobRequest) -> shapes.StartJobResult:
    """RELEASE and WEB_HOOK build the head of the branch, or the commit or tag `commitId`; RETRY builds
    the commit of the job `jobId` again, under a new number."""
    kind = JobType(request.job_type)
    if kind is JobType.MANUAL:
        raise BadRequest("The requested jobType MANUAL does not support.")
    services.refuse_when_full()
    now = now_ms()
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        if app.config.repository is None:
            raise BadRequest(
                "The app has no repository: connect one with UpdateApp, or use CreateDeployment and "
                "StartDeployment."
            )
        if kind is JobType.RETRY:
            if request.job_id is None:
                raise BadRequest("The jobType RETRY needs the jobId of the job to run again.")
            again = find_job(tx.conn, branch, request.job_id)
            commit = again.commit or Commit(commit_id=HEAD, time_ms=now)
        else:
            commit = Commit(
                commit_id=request.commit_id or HEAD,
                message=request.commit_message,
                time_ms=milliseconds(request.commit_time) if request.commit_time else now,
            )
        job = accept_job(
            tx,
            services.engine,
            scope=caller.scope,
            branch=branch,
            type=kind,
            commit=commit,
            reason=request.job_reason,
            now=now,
        )
    return shapes.StartJobResult(job_summary=present_summary(app, branch, job))


def get_job(services: Services, caller: Caller, request: shapes.GetJobRequest) -> shapes.GetJobResult:
    with services.database.read() as conn:
        app, branch = find_branch(conn, caller, request.app_id, request.branch_name)
        job = find_job(conn, branch, request.job_id)
        rows = steps.list_steps(conn, branch.branch_id, job.number)
        left = _left(conn, branch, job)
    return shapes.GetJobResult(
        job=shapes.Job(
            summary=present_summary(app, branch, job),
            steps=tuple(_present_step(services, caller, job, attempt, step, left) for attempt, step in rows),
        )
    )


def list_jobs(services: Services, caller: Caller, request: shapes.ListJobsRequest) -> shapes.ListJobsResult:
    page = page_of(
        services,
        caller,
        operation="ListJobs",
        parent=f"{request.app_id}/{request.branch_name}",
        max_results=request.max_results,
        next_token=request.next_token,
    )
    with services.database.read() as conn:
        app, branch = find_branch(conn, caller, request.app_id, request.branch_name)
        found = services.finished_jobs.page(conn, app, branch, before=page.after, limit=page.limit + 1)
    summaries, token = page.cut(found)
    return shapes.ListJobsResult(job_summaries=summaries, next_token=token)


def stop_job(services: Services, caller: Caller, request: shapes.StopJobRequest) -> shapes.StopJobResult:
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        job = find_job(tx.conn, branch, request.job_id)
        stopped = request_stop(tx, services.engine, job, now=now_ms())
    return shapes.StopJobResult(job_summary=present_summary(app, branch, stopped))


def delete_job(
    services: Services, caller: Caller, request: shapes.DeleteJobRequest
) -> shapes.DeleteJobResult:
    """The summary as it was; the job is in no list afterwards and its number is never used again."""
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        job = find_job(tx.conn, branch, request.job_id)
        remove_job(tx, services.engine, job)
    return shapes.DeleteJobResult(job_summary=present_summary(app, branch, job))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Left:
    """What a job left behind, beside its logs."""

    released: bool
    tests: tuple[Artifact, ...]
    screenshot: Artifact | None


def _left(conn: Connection, branch: Branch, job: Job) -> _Left:
    key = branch.branch_id, job.number
    return _Left(
        released=releases.get_release_of_job(conn, *key) is not None,
        tests=tuple(artifacts.list_tests(conn, *key)),
        screenshot=artifacts.screenshots_of(conn, [key]).get(key),
    )


def _present_step(
    services: Services, caller: Caller, job: Job, attempt: int, step: Step, left: _Left
) -> shapes.Step:
    which = Attempt(branch_id=job.branch_id, number=job.number, attempt=attempt)
    base, key = caller.endpoint, (job.branch_id, job.number)
    links = services.links
    has_tests = step.name is StepName.TEST and left.tests
    report = next((item for item in left.tests if item.kind is ArtifactKind.TEST_CONFIG), None)
    picture = left.screenshot if step.name is StepName.VERIFY else None
    return shapes.Step(
        step_name=step.name,
        start_time=seconds(step.started_ms),
        status=step.status,
        # The model requires it; of a step that runs, the time so far is none.
        end_time=seconds(step.ended_ms or step.started_ms),
        log_url=links.log(base, which, step.name),
        artifacts_url=(
            links.artifacts(base, *key) if left.released and step.name is StepName.BUILD else None
        ),
        test_artifacts_url=links.test_artifacts(base, *key) if has_tests else None,
        test_config_url=links.test_artifact(base, *key, report.ordinal) if has_tests and report else None,
        screenshots={picture.file_name: links.test_artifact(base, *key, picture.ordinal)}
        if picture
        else None,
        status_reason=step.status_reason,
        context=step.context,
    )
