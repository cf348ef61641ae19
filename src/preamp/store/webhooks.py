"""Incoming webhooks: named queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from preamp.model.caller import Scope
from preamp.model.webhooks import Webhook
from preamp.store import documents
from preamp.store.tables import apps, branches, webhooks


def insert_webhook(conn: Connection, webhook: Webhook) -> None:
    conn.execute(
        insert(webhooks).values(
            webhook_id=webhook.webhook_id,
            app_id=webhook.app_id,
            branch_id=webhook.branch_id,
            description=webhook.description,
            token_sealed=webhook.token_sealed,
            tags=documents.encode(webhook.tags),
            created_ms=webhook.created_ms,
            updated_ms=webhook.updated_ms,
        )
    )


def get_webhook(conn: Connection, scope: Scope, webhook_id: str) -> Webhook | None:
    """None also when it belongs to another account or region."""
    found = find_webhook(conn, webhook_id)
    return found[1] if found and found[0] == scope else None


def find_webhook(conn: Connection, webhook_id: str) -> tuple[Scope, Webhook] | None:
    """In whichever account and region it is: a caller of the URL names none."""
    query = _all().add_columns(apps.c.account, apps.c.region).join(apps, apps.c.app_id == webhooks.c.app_id)
    row = conn.execute(query.where(webhooks.c.webhook_id == webhook_id)).mappings().first()
    return (Scope(account=row["account"], region=row["region"]), _webhook(row)) if row else None


def page_webhooks(conn: Connection, app_id: str, *, after: int, limit: int) -> list[tuple[int, Webhook]]:
    """In creation order; the number of each pair is where a next page goes on."""
    query = _all().where(webhooks.c.app_id == app_id, webhooks.c.seq > after)
    rows = conn.execute(query.order_by(webhooks.c.seq).limit(limit)).mappings()
    return [(row["seq"], _webhook(row)) for row in rows]


def count_webhooks(conn: Connection, app_id: str) -> int:
    query = select(func.count()).select_from(webhooks).where(webhooks.c.app_id == app_id)
    return conn.scalar(query) or 0


def update_webhook(conn: Connection, webhook_id: str, *, branch_id: int, description: str, now: int) -> None:
    conn.execute(
        update(webhooks)
        .where(webhooks.c.webhook_id == webhook_id)
        .values(branch_id=branch_id, description=description, updated_ms=now)
    )


def update_tags(conn: Connection, webhook_id: str, tags: Mapping[str, str]) -> None:
    conn.execute(
        update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(tags=documents.encode(tags))
    )


def delete_webhook(conn: Connection, webhook_id: str) -> None:
    conn.execute(delete(webhooks).where(webhooks.c.webhook_id == webhook_id))


def _all() -> Select[Any]:
    return select(webhooks, branches.c.name.label("branch_name")).join(
        branches, branches.c.branch_id == webhooks.c.branch_id
    )


def _webhook(row: RowMapping) -> Webhook:
    return Webhook(
        webhook_id=row["webhook_id"],
        app_id=row["app_id"],
        branch_id=row["branch_id"],
        branch_name=row["branch_name"],
        description=row["description"],
        token_sealed=row["token_sealed"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        tags=documents.decode_map(row["tags"]),
    )
