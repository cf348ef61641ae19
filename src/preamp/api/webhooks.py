"""CreateWebhook, GetWebhook, UpdateWebhook, DeleteWebhook, ListWebhooks (behaviour reference, section 2).

What happens when a webhook's URL is called is the business of the room `hooks`.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from preamp.api import shapes
from preamp.api.find import find_app, find_branch
from preamp.api.limits import refuse_over
from preamp.api.pages import page_of
from preamp.api.services import Services
from preamp.model.arns import Resource, ResourceKind
from preamp.model.caller import Caller
from preamp.model.errors import NotFound
from preamp.model.quotas import Quota
from preamp.model.times import now_ms, seconds
from preamp.model.webhooks import Webhook, new_token, new_webhook_id
from preamp.store import webhooks

OWN_PATH = "/_preamp/webhooks"
AWS_PATH = "/prod/webhooks"
OPERATION = "startbuild"


def create_webhook(
    services: Services, caller: Caller, request: shapes.CreateWebhookRequest
) -> shapes.CreateWebhookResult:
    webhook_id = new_webhook_id()
    sealed = services.master.seal(new_token(), owner=webhook_id)
    now = now_ms()
    with services.database.write() as tx:
        app, branch = find_branch(tx.conn, caller, request.app_id, request.branch_name)
        refuse_over(
            tx.conn,
            caller.scope,
            Quota.WEBHOOKS_PER_APP,
            have=lambda: webhooks.count_webhooks(tx.conn, app.app_id),
            message="Failed to create webhook. You have reached the maximum number of webhooks in this app.",
        )
        webhook = Webhook(
            webhook_id=webhook_id,
            app_id=app.app_id,
            branch_id=branch.branch_id,
            branch_name=branch.name,
            description=request.description or "",
            token_sealed=sealed,
            created_ms=now,
            updated_ms=now,
        )
        webhooks.insert_webhook(tx.conn, webhook)
    return shapes.CreateWebhookResult(webhook=_present(services, caller, webhook))


def get_webhook(
    services: Services, caller: Caller, request: shapes.GetWebhookRequest
) -> shapes.GetWebhookResult:
    with services.database.read() as conn:
        webhook = _find(conn, caller, request.webhook_id)
    return shapes.GetWebhookResult(webhook=_present(services, caller, webhook))


def update_webhook(
    services: Services, caller: Caller, request: shapes.UpdateWebhookRequest
) -> shapes.UpdateWebhookResult:
    """May move it to another branch of its app; its URL stays the same."""
    now = now_ms()
    with services.database.write() as tx:
        webhook = _find(tx.conn, caller, request.webhook_id)
        updated = replace(webhook, description=request.description or webhook.description, updated_ms=now)
        if request.branch_name is not None:
            _, branch = find_branch(tx.conn, caller, webhook.app_id, request.branch_name)
            updated = replace(updated, branch_id=branch.branch_id, branch_name=branch.name)
        webhooks.update_webhook(
            tx.conn,
            webhook.webhook_id,
            branch_id=updated.branch_id,
            description=updated.description,
            now=now,
        )
    return shapes.UpdateWebhookResult(webhook=_present(services, caller, updated))


def delete_webhook(
    services: Services, caller: Caller, request: shapes.DeleteWebhookRequest
) -> shapes.DeleteWebhookResult:
    with services.database.write() as tx:
        webhook = _find(tx.conn, caller, request.webhook_id)
        webhooks.delete_webhook(tx.conn, webhook.webhook_id)
    return shapes.DeleteWebhookResult(webhook=_present(services, caller, webhook))


def list_webhooks(
    services: Services, caller: Caller, request: shapes.ListWebhooksRequest
) -> shapes.ListWebhooksResult:
    page = page_of(
        services,
        caller,
        operation="ListWebhooks",
        parent=request.app_id,
        max_results=request.max_results,
        next_token=request.next_token,
    )
    with services.database.read() as conn:
        app = find_app(conn, caller, request.app_id)
        rows = webhooks.page_webhooks(conn, app.app_id, after=page.after or 0, limit=page.limit + 1)
    found, token = page.cut(rows)
    return shapes.ListWebhooksResult(
        webhooks=tuple(_present(services, caller, webhook) for webhook in found), next_token=token
    )


def _find(conn: Connection, caller: Caller, webhook_id: str) -> Webhook:
    webhook = webhooks.get_webhook(conn, caller.scope, webhook_id)
    if webhook is None:
        raise NotFound(f"Webhook {webhook_id[:200]} not found.")
    return webhook


def _present(services: Services, caller: Caller, webhook: Webhook) -> shapes.Webhook:
    resource = Resource(kind=ResourceKind.WEBHOOK, app_id=webhook.app_id, name=webhook.webhook_id)
    return shapes.Webhook(
        webhook_arn=resource.arn(caller.scope),
        webhook_id=webhook.webhook_id,
        webhook_url=_url(services, caller, webhook),
        app_id=webhook.app_id,
        branch_name=webhook.branch_name,
        description=webhook.description,
        create_time=seconds(webhook.created_ms),
        update_time=seconds(webhook.updated_ms),
    )


def _url(services: Services, caller: Caller, webhook: Webhook) -> str:
    host = services.settings.webhook_host
    where = f"https://{host}{AWS_PATH}" if host else f"{caller.endpoint}{OWN_PATH}"
    token = services.master.open(webhook.token_sealed, owner=webhook.webhook_id)
    return f"{where}?id={webhook.webhook_id}&token={token}&operation={OPERATION}"
