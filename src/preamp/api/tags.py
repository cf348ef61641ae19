"""TagResource, UntagResource, ListTagsForResource (behaviour reference, sections 2, 3.4 and 12).

A kind of resource becomes taggable by a line in `TAGGABLE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.services import Services
from preamp.model.arns import Resource, ResourceKind, parse_arn
from preamp.model.caller import Caller, Scope
from preamp.model.domains import normal_domain
from preamp.model.errors import BadRequest, ResourceNotFound
from preamp.store import apps, branches, domains, webhooks

MAX_TAGS = 50

Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged:
    """A resource that exists, and its tags."""

    resource: Resource
    """In the one form that its ARN has, however it was asked for."""
    tags: Tags
    save: Callable[[Tags], None]


def tag_resource(
    services: Services, caller: Caller, request: shapes.TagResourceRequest
) -> shapes.TagResourceResponse:
    with services.database.write() as tx:
        found = _find(tx.conn, caller, request.resource_arn)
        tags = {**found.tags, **request.tags}
        if len(tags) > MAX_TAGS:
            raise BadRequest(
                f"The resource would have {len(tags)} tags; at most {MAX_TAGS} are allowed for a resource."
            )
        found.save(tags)
    return shapes.TagResourceResponse()


def untag_resource(
    services: Services, caller: Caller, request: shapes.UntagResourceRequest
) -> shapes.UntagResourceResponse:
    """A key that the resource does not have is no error."""
    with services.database.write() as tx:
        found = _find(tx.conn, caller, request.resource_arn)
        found.save({key: value for key, value in found.tags.items() if key not in request.tag_keys})
    return shapes.UntagResourceResponse()


def list_tags_for_resource(
    services: Services, caller: Caller, request: shapes.ListTagsForResourceRequest
) -> shapes.ListTagsForResourceResponse:
    with services.database.read() as conn:
        return shapes.ListTagsForResourceResponse(tags=_find(conn, caller, request.resource_arn).tags)


def find_tagged(conn: Connection, scope: Scope, resource: Resource) -> Tagged | None:
    """None when the resource does not exist in `scope`, or its kind has no tags."""
    finder = TAGGABLE.get(resource.kind)
    return finder(conn, scope, resource) if finder else None


def _find(conn: Connection, caller: Caller, arn: str) -> Tagged:
    parsed = parse_arn(arn)
    if parsed is not None:
        scope, resource = parsed
        if scope == caller.scope and (found := find_tagged(conn, scope, resource)) is not None:
            return found
    raise ResourceNotFound(f"Resource {arn} not found.")


def _app(conn: Connection, scope: Scope, resource: Resource) -> Tagged | None:
    app = apps.get_app(conn, scope, resource.app_id) if resource.app_id else None
    if app is None:
        return None
    return Tagged(
        resource=resource, tags=app.tags, save=lambda tags: apps.update_tags(conn, app.app_id, tags)
    )


def _branch(conn: Connection, scope: Scope, resource: Resource) -> Tagged | None:
    app = apps.get_app(conn, scope, resource.app_id) if resource.app_id else None
    branch = branches.get_branch(conn, app.app_id, resource.name) if app else None
    if branch is None:
        return None
    return Tagged(
        resource=resource,
        tags=branch.tags,
        save=lambda tags: branches.update_tags(conn, branch.branch_id, tags),
    )


def _domain(conn: Connection, scope: Scope, resource: Resource) -> Tagged | None:
    app = apps.get_app(conn, scope, resource.app_id) if resource.app_id else None
    domain = domains.get_domain(conn, app.app_id, normal_domain(resource.name)) if app else None
    if domain is None:
        return None
    return Tagged(
        resource=Resource(kind=resource.kind, app_id=domain.app_id, name=domain.name),
        tags=domain.tags,
        save=lambda tags: domains.update_tags(conn, domain.domain_id, tags),
    )


def _webhook(conn: Connection, scope: Scope, resource: Resource) -> Tagged | None:
    webhook = webhooks.get_webhook(conn, scope, resource.name)
    if webhook is None or resource.app_id not in {None, webhook.app_id}:
        return None
    return Tagged(
        resource=Resource(kind=resource.kind, app_id=webhook.app_id, name=webhook.webhook_id),
        tags=webhook.tags,
        save=lambda tags: webhooks.update_tags(conn, webhook.webhook_id, tags),
    )


TAGGABLE: Mapping[ResourceKind, Callable[[Connection, Scope, Resource], Tagged | None]] = {
    ResourceKind.APP: _app,
    ResourceKind.BRANCH: _branch,
    ResourceKind.DOMAIN: _domain,
    ResourceKind.WEBHOOK: _webhook,
}
"""How a resource of each kind is found."""
