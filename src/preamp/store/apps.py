"""Apps: named queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from preamp.model.apps import App, AppConfig
from preamp.model.caller import Scope
from preamp.store import documents
from preamp.store.prepared import Prepared
from preamp.store.tables import apps

FACTS = (
    apps.c.seq,
    apps.c.app_id,
    apps.c.account,
    apps.c.region,
    apps.c.config,
    apps.c.tags,
    apps.c.created_ms,
    apps.c.updated_ms,
)
"""In the order in which `app_of` unpacks them."""
_GET = Prepared(
    select(*FACTS).where(
        apps.c.app_id == bindparam("id"),
        apps.c.account == bindparam("account"),
        apps.c.region == bindparam("region"),
    )
)


def insert_app(conn: Connection, app: App) -> None:
    conn.execute(
        insert(apps).values(
            app_id=app.app_id,
            account=app.scope.account,
            region=app.scope.region,
            config=documents.encode(app.config),
            tags=documents.encode(app.tags),
            created_ms=app.created_ms,
            updated_ms=app.updated_ms,
        )
    )


def get_app(conn: Connection, scope: Scope, app_id: str) -> App | None:
    """None also when the app belongs to another account or region."""
    found = _GET.first(conn, id=app_id, account=scope.account, region=scope.region)
    return app_of(found) if found else None


def exists(conn: Connection, app_id: str) -> bool:
    """In whatever account and region."""
    return conn.scalar(select(apps.c.seq).where(apps.c.app_id == app_id)) is not None


def page_apps(conn: Connection, scope: Scope, *, after: int, limit: int) -> list[tuple[int, App]]:
    """In creation order; the number of each pair is where a next page goes on."""
    rows = conn.execute(
        select(*FACTS).where(*_in(scope), apps.c.seq > after).order_by(apps.c.seq).limit(limit)
    )
    return [(row.seq, app_of(row)) for row in rows]


def count_apps(conn: Connection, scope: Scope) -> int:
    return conn.scalar(select(func.count()).select_from(apps).where(*_in(scope))) or 0


def update_app(conn: Connection, app_id: str, config: AppConfig, *, now: int) -> None:
    conn.execute(
        update(apps).where(apps.c.app_id == app_id).values(config=documents.encode(config), updated_ms=now)
    )


def update_tags(conn: Connection, app_id: str, tags: Mapping[str, str]) -> None:
    conn.execute(update(apps).where(apps.c.app_id == app_id).values(tags=documents.encode(tags)))


def set_access_token(conn: Connection, app_id: str, sealed: bytes) -> None:
    conn.execute(update(apps).where(apps.c.app_id == app_id).values(access_token_sealed=sealed))


def get_access_token(conn: Connection, app_id: str) -> bytes | None:
    """Sealed, with the app id as its owner."""
    return conn.scalar(select(apps.c.access_token_sealed).where(apps.c.app_id == app_id))


def clear_access_token(conn: Connection, app_id: str) -> None:
    conn.execute(update(apps).where(apps.c.app_id == app_id).values(access_token_sealed=None))


def ssh_key_owner(app_id: str) -> str:
    """What an app's SSH key is sealed with."""
    return f"ssh-key {app_id}"


def set_ssh_key(conn: Connection, app_id: str, sealed: bytes | None) -> None:
    """None: forget it."""
    conn.execute(update(apps).where(apps.c.app_id == app_id).values(ssh_key_sealed=sealed))


def get_ssh_key(conn: Connection, app_id: str) -> bytes | None:
    """Sealed, see `ssh_key_owner`."""
    return conn.scalar(select(apps.c.ssh_key_sealed).where(apps.c.app_id == app_id))


def find_by_id_or_name(conn: Connection, reference: str) -> list[tuple[str, str]]:
    """(app id, name) of every account's apps that are meant; for the operator's own commands."""
    rows = conn.execute(select(apps.c.app_id, apps.c.config).order_by(apps.c.seq))
    found = [(row[0], documents.decode(row[1], AppConfig).name) for row in rows]
    return [item for item in found if item[0] == reference] or [
        item for item in found if item[1] == reference
    ]


def delete_app(conn: Connection, app_id: str) -> None:
    """Branches, jobs, releases and uploads go with it."""
    conn.execute(delete(apps).where(apps.c.app_id == app_id))


def _in(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return apps.c.account == scope.account, apps.c.region == scope.region


def app_of(row: Sequence[Any]) -> App:
    """From `FACTS`."""
    _, app_id, account, region, config, tags, created_ms, updated_ms = row
    return App(
        app_id=app_id,
        scope=Scope(account=account, region=region),
        config=documents.decode(config, AppConfig),
        created_ms=created_ms,
        updated_ms=updated_ms,
        tags=documents.decode_map(tags),
    )
