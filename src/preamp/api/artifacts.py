"""ListArtifacts and GetArtifactUrl: what a job's test step left (behaviour reference, section 3.4)."""

from __future__ import annotations

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_branch, find_job
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.model.artifacts import Artifact
from preamp.model.caller import Caller, Scope
from preamp.model.errors import BadRequest, NotFound
from preamp.store import artifacts, branches

_KIND = "artifact"
_BLOB_DIGITS = 16


def list_artifacts(
    services: Services, caller: Caller, request: shapes.ListArtifactsRequest
) -> shapes.ListArtifactsResult:
    page = page_of(
        services,
        caller,
        operation="ListArtifacts",
        parent=f"{request.app_id}/{request.branch_name}/{request.job_id}",
        max_results=request.max_results,
        next_token=request.next_token,
    )
    with services.database.read() as conn:
        _, branch = find_branch(conn, caller, request.app_id, request.branch_name)
        job = find_job(conn, branch, request.job_id)
        after = -1 if page.after is None else page.after
        rows = artifacts.page_artifacts(conn, branch.branch_id, job.number, after=after, limit=page.limit + 1)
    found, token = page.cut([(artifact.ordinal, artifact) for artifact in rows])
    return shapes.ListArtifactsResult(
        artifacts=tuple(
            shapes.Artifact(
                artifact_file_name=artifact.file_name,
                artifact_id=_id_of(services, caller.scope, artifact),
            )
            for artifact in found
        ),
        next_token=token,
    )


def get_artifact_url(
    services: Services, caller: Caller, request: shapes.GetArtifactUrlRequest
) -> shapes.GetArtifactUrlResult:
    with services.database.read() as conn:
        artifact = _find(services, conn, caller.scope, request.artifact_id)
    if artifact is None:
        raise NotFound(f"Artifact {request.artifact_id[:200]} not found.")
    return shapes.GetArtifactUrlResult(
        artifact_id=request.artifact_id,
        artifact_url=services.links.test_artifact(
            caller.endpoint, artifact.branch_id, artifact.number, artifact.ordinal
        ),
    )


def app_of_artifact(services: Services, conn: Connection, scope: Scope, artifact_id: str) -> str | None:
    """The app that it belongs to; None when there is no such artifact."""
    artifact = _find(services, conn, scope, artifact_id)
    branch = branches.get_branch_by_id(conn, artifact.branch_id) if artifact else None
    return branch.app_id if branch else None


def _id_of(services: Services, scope: Scope, artifact: Artifact) -> str:
    """Signed, so that ids cannot be guessed, and with the blob, so that an id never comes to mean another
    file: not after a second attempt of the job, and not in another account."""
    key = (artifact.branch_id, artifact.number, artifact.ordinal, artifact.blob[:_BLOB_DIGITS])
    return services.tokens.encode(key, operation=_KIND, parent="", scope=scope)


def _find(services: Services, conn: Connection, scope: Scope, artifact_id: str) -> Artifact | None:
    try:
        key = services.tokens.decode(artifact_id, operation=_KIND, parent="", scope=scope)
    except BadRequest:
        return None
    branch_id, number, ordinal, blob = key
    artifact = artifacts.get_artifact(conn, int(branch_id), int(number), int(ordinal))
    return artifact if artifact and artifact.blob[:_BLOB_DIGITS] == blob else None
