"""What a request needs permission for, in IAM's words (behaviour reference, section 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from preamp.api.artifacts import app_of_artifact
from preamp.api.services import Services
from preamp.api.tags import find_tagged
from preamp.model.arns import Resource, ResourceKind, parse_arn
from preamp.model.caller import Scope
from preamp.model.domains import normal_domain
from preamp.model.ids import job_arn

ANY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """One question to a policy."""

    action: str
    """In IAM's spelling, such as `amplify:CreateWebHook`."""
    resources: tuple[str, ...]
    """The ARN of what is asked for, first, and the other forms it is known under; `*`: none."""
    request_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that the request sets."""
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that the resource has."""
    tag_keys: tuple[str, ...] = ()
    """Keys of tags that the request sets or removes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """The context in which an operation's resource is looked up."""

    services: Services
    conn: Connection
    scope: Scope
    request: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    resources: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


def permission_for(services: Services, *, operation: str, scope: Scope, request: Any) -> Permission:
    """`request` is the operation's validated input. What does not exist has its ARN and no tags: whether
    it exists is the operation's business, afterwards."""
    with services.database.read() as conn:
        asked = _Asked(services=services, conn=conn, scope=scope, request=request)
        target = _TARGETS[operation](asked)
    request_tags: Mapping[str, str] = getattr(request, "tags", None) or {}
    removed: tuple[str, ...] = getattr(request, "tag_keys", ())
    return Permission(
        action=f"amplify:{operation.replace('Webhook', 'WebHook')}",
        resources=target.resources,
        request_tags=request_tags,
        resource_tags=target.tags,
        tag_keys=(*request_tags, *removed),
    )


def _nothing(asked: _Asked) -> _Target:
    return _Target(resources=(ANY,))


def _new_app(asked: _Asked) -> _Target:
    return _Target(resources=(Resource(kind=ResourceKind.APP, app_id=ANY).arn(asked.scope),))


def _app(asked: _Asked) -> _Target:
    return _known(asked, Resource(kind=ResourceKind.APP, app_id=asked.request.app_id))


def _branch(asked: _Asked) -> _Target:
    request = asked.request
    return _known(asked, Resource(kind=ResourceKind.BRANCH, app_id=request.app_id, name=request.branch_name))


def _domain(asked: _Asked) -> _Target:
    request = asked.request
    return _known(
        asked,
        Resource(kind=ResourceKind.DOMAIN, app_id=request.app_id, name=normal_domain(request.domain_name)),
    )


def _webhook(asked: _Asked) -> _Target:
    return _known(asked, Resource(kind=ResourceKind.WEBHOOK, app_id=None, name=asked.request.webhook_id))


def _job(asked: _Asked) -> _Target:
    """Padded, as the job's ARN has it, and not, as `jobId` is. Jobs have no tags."""
    request = asked.request
    number = int(request.job_id)
    padded = job_arn(
        account=asked.scope.account,
        region=asked.scope.region,
        app_id=request.app_id,
        branch=request.branch_name,
        number=number,
    )
    return _Target(resources=(padded, f"{_branch(asked).resources[0]}/jobs/{number}"))


def _new_job(asked: _Asked) -> _Target:
    """`.../jobs/*` also for a RETRY: a new job is what StartJob makes."""
    return _Target(resources=(f"{_branch(asked).resources[0]}/jobs/{ANY}",))


def _artifact(asked: _Asked) -> _Target:
    app_id = app_of_artifact(asked.services, asked.conn, asked.scope, asked.request.artifact_id)
    return (
        _new_app(asked) if app_id is None else _known(asked, Resource(kind=ResourceKind.APP, app_id=app_id))
    )


def _tagged(asked: _Asked) -> _Target:
    """The ARN of the request, in whatever scope it is."""
    arn = asked.request.resource_arn
    parsed = parse_arn(arn)
    if parsed is None or parsed[0] != asked.scope:
        return _Target(resources=(arn,))
    return _known(asked, parsed[1])


def _known(asked: _Asked, resource: Resource) -> _Target:
    """With the tags that it has now; a webhook under both forms of its ARN."""
    found = find_tagged(asked.conn, asked.scope, resource)
    if found is not None:
        resource = found.resource
    arns = [resource.arn(asked.scope)]
    if resource.kind is ResourceKind.WEBHOOK and resource.app_id is not None:
        short = Resource(kind=resource.kind, app_id=None, name=resource.name)
        arns.append(short.arn(asked.scope))
    return _Target(resources=tuple(arns), tags=found.tags if found else {})


_TARGETS: Mapping[str, Callable[[_Asked], _Target]] = {
    "ListApps": _nothing,
    "CreateApp": _new_app,
    **dict.fromkeys(
        (
            "GetApp",
            "UpdateApp",
            "DeleteApp",
            "ListBranches",
            "ListDomainAssociations",
            "ListWebhooks",
            "ListArtifacts",
            "GenerateAccessLogs",
            "CreateBackendEnvironment",
            "GetBackendEnvironment",
            "DeleteBackendEnvironment",
            "ListBackendEnvironments",
        ),
        _app,
    ),
    "GetArtifactUrl": _artifact,
    **dict.fromkeys(
        (
            "CreateBranch",
            "GetBranch",
            "UpdateBranch",
            "DeleteBranch",
            "ListJobs",
            "CreateDeployment",
            "StartDeployment",
            "CreateWebhook",
        ),
        _branch,
    ),
    "StartJob": _new_job,
    **dict.fromkeys(("GetJob", "StopJob", "DeleteJob"), _job),
    **dict.fromkeys(
        (
            "CreateDomainAssociation",
            "GetDomainAssociation",
            "UpdateDomainAssociation",
            "DeleteDomainAssociation",
        ),
        _domain,
    ),
    **dict.fromkeys(("GetWebhook", "UpdateWebhook", "DeleteWebhook"), _webhook),
    **dict.fromkeys(("TagResource", "UntagResource", "ListTagsForResource"), _tagged),
}
"""What each of the 37 operations is checked against."""
