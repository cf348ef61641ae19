"""Apps: named queries."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update

from preamp.model.apps import App, AppConfig
from preamp.model.caller import Scope
from preamp.store import documents
from preamp.store.tables import apps


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
    row = conn.execute(select(apps).where(apps.c.app_id == app_id, *_in(scope))).mappings().first()
    return _app(row) if row else None


def exists(conn: Connection, app_id: str) -> bool:
    """In whatever account and region."""
    return conn.scalar(select(apps.c.seq).where(apps.c.app_id == app_id)) is not None


def page_apps(conn: Connection, scope: Scope, *, after: int, limit: int) -> list[tuple[int, App]]:
    """In creation order; the number of each pair is where a next page goes on."""
    rows = conn.execute(
        select(apps).where(*_in(scope), apps.c.seq > after).order_by(apps.c.seq).limit(limit)
    ).mappings()
    return [(row["seq"], _app(row)) for row in rows]


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


def delete_app(conn: Connection, app_id: str) -> None:
    """Branches, jobs, releases and uploads go with it."""
    conn.execute(delete(apps).where(apps.c.app_id == app_id))


def _in(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return apps.c.account == scope.account, apps.c.region == scope.region


def _app(row: RowMapping) -> App:
    return App(
        app_id=row["app_id"],
        scope=Scope(account=row["account"], region=row["region"]),
        config=documents.decode(row["config"], AppConfig),
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        tags=documents.decode_map(row["tags"]),
    )
