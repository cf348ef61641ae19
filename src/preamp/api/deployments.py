"""CreateDeployment and StartDeployment: manual deployments (behaviour reference, section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_branch, find_job
from preamp.api.job_summaries import present_summary
from preamp.api.services import Services
from preamp.engine.deployments import EXPIRES_MS, accept_from_source, expire_deployment
from preamp.engine.deployments import start_deployment as begin
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.caller import Caller
from preamp.model.errors import BadRequest
from preamp.model.jobs import JobState, JobType, SourceUrlType, new_job
from preamp.model.sources import BucketSource, SourceUrlError, parse_source
from preamp.model.times import now_ms
from preamp.store import branches, jobs, uploads

NOT_UPLOADED = (
    "Deployment file has not been uploaded, please make sure you uploaded the deployment file prior to "
    "invoke this api"
)


def create_deployment(
    services: Services, caller: Caller, request: shapes.CreateDeploymentRequest
) -> shapes.CreateDeploymentResult:
    """Without a file map one URL for a zip, else one for each file."""
    services.refuse_when_full()
    files = _checked_files(request.file_map) if request.file_map else {uploads.ZIP: None}
    now = now_ms()
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        _refuse_repository(app)
        _refuse_second(tx.conn, branch)
        job = new_job(
            branch_id=branch.branch_id,
            number=branches.next_job_number(tx.conn, branch.branch_id),
            type=JobType.MANUAL,
            state=JobState.CREATED,
            now=now,
        )
        jobs.insert_job(tx.conn, job, scope=caller.scope, app_id=app.app_id)
        uploads.expect(tx.conn, branch.branch_id, job.number, files)
    urls = {
        path: services.links.upload(caller.endpoint, branch.branch_id, job.number, ordinal)
        for ordinal, path in enumerate(files)
    }
    return shapes.CreateDeploymentResult(
        job_id=str(job.number),
        zip_upload_url=urls.pop(uploads.ZIP, ""),
        file_upload_urls=urls,
    )


def start_deployment(
    services: Services, caller: Caller, request: shapes.StartDeploymentRequest
) -> shapes.StartDeploymentResult:
    if request.job_id is not None and request.source_url is not None:
        raise BadRequest("Specify either jobId or sourceUrl for StartDeploymentRequest, not both.")
    if request.source_url is not None:
        return _start_from_source(services, caller, request, request.source_url)
    if request.job_id is None:
        raise BadRequest("Must specify jobId or sourceUrl for StartDeploymentRequest.")
    now = now_ms()
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        _refuse_repository(app)
        job = find_job(tx.conn, branch, request.job_id)
        if job.state is not JobState.CREATED:
            raise BadRequest(f"The deployment {job.number} was already started; its status is {job.status}.")
        started = None
        if services.clock() - job.created_ms > EXPIRES_MS:
            expire_deployment(tx, job, now=now)
        else:
            files = uploads.list_uploads(tx.conn, branch.branch_id, job.number)
            if any(upload.blob is None for upload in files):
                raise BadRequest(NOT_UPLOADED)
            started = begin(tx, services.engine, job, now=now)
    if started is None:
        raise BadRequest(
            f"The deployment {job.number} was created more than 8 hours ago and has failed; create another."
        )
    return shapes.StartDeploymentResult(job_summary=present_summary(app, branch, started))


def _start_from_source(
    services: Services, caller: Caller, request: shapes.StartDeploymentRequest, url: str
) -> shapes.StartDeploymentResult:
    """The worker fetches it; what can be judged without asking anybody is judged here."""
    kind = SourceUrlType(request.source_url_type or SourceUrlType.ZIP)
    try:
        source = parse_source(url, kind)
    except SourceUrlError as error:
        raise BadRequest(str(error)) from None
    if isinstance(source, BucketSource) and not services.settings.s3_ready:
        raise BadRequest(
            "This Preamp reads no s3:// sources: its operator has to set s3_endpoint, or s3_access_key_id "
            "and s3_secret_access_key."
        )
    services.refuse_when_full()
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        _refuse_repository(app)
        _refuse_second(tx.conn, branch)
        job = accept_from_source(
            tx, services.engine, app=app, branch=branch, url=url, kind=kind, now=now_ms()
        )
    return shapes.StartDeploymentResult(job_summary=present_summary(app, branch, job))


def _refuse_second(conn: Connection, branch: Branch) -> None:
    unfinished = jobs.unfinished(conn, branch.branch_id)
    if unfinished:
        raise BadRequest(
            f"The last job(deployment) {unfinished[-1].number} was not finished, please wait until it "
            "finish or use StopJob operation to cancel it before creating a new deployment."
        )


def _refuse_repository(app: App) -> None:
    if app.config.repository is not None:
        raise BadRequest(
            "Operation not supported: the app is connected to a repository. Use StartJob, or another app."
        )


def _checked_files(file_map: Mapping[str, str]) -> dict[str, str | None]:
    """Path -> MD5. Raises BadRequest naming the path that cannot be a file of a site."""
    files: dict[str, str | None] = {}
    for name, md5 in file_map.items():
        path = name.removeprefix("/")
        parts = path.split("/")
        if not path or "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
            raise BadRequest(f"The path {name[:150]!r} of the fileMap is not a relative file path.")
        if path in files:
            raise BadRequest(f"The path {name[:150]!r} is in the fileMap twice.")
        text = md5.lower()
        if len(text) != 32 or not all(char in "0123456789abcdef" for char in text):
            raise BadRequest(f"The MD5 of {name[:150]!r} must be 32 hexadecimal characters.")
        files[path] = text
    for path in files:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in files:
                raise BadRequest(
                    f"{'/'.join(parts[:end])[:150]!r} of the fileMap is both a file and a folder."
                )
    return files
