"""Backend environments: named queries."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select

from preamp.model.backend_environments import BackendEnvironment
from preamp.store.tables import backend_environments as table


def insert_environment(conn: Connection, environment: BackendEnvironment) -> None:
    """The name must be free in the app (IntegrityError otherwise)."""
    conn.execute(
        insert(table).values(
            app_id=environment.app_id,
            name=environment.name,
            stack_name=environment.stack_name,
            deployment_artifacts=environment.deployment_artifacts,
            created_ms=environment.created_ms,
            updated_ms=environment.updated_ms,
        )
    )


def get_environment(conn: Connection, app_id: str, name: str) -> BackendEnvironment | None:
    row = conn.execute(select(table).where(_is(app_id, name))).mappings().first()
    return _environment(row) if row else None


def page_environments(
    conn: Connection, app_id: str, *, name: str | None, after: int, limit: int
) -> list[tuple[int, BackendEnvironment]]:
    """In creation order, only the one called `name` when that is given; the number of each pair is where
    a next page goes on."""
    query = select(table).where(table.c.app_id == app_id, table.c.seq > after)
    if name is not None:
        query = query.where(table.c.name == name)
    rows = conn.execute(query.order_by(table.c.seq).limit(limit)).mappings()
    return [(row["seq"], _environment(row)) for row in rows]


def delete_environment(conn: Connection, app_id: str, name: str) -> None:
    conn.execute(delete(table).where(_is(app_id, name)))


def _is(app_id: str, name: str) -> ColumnElement[bool]:
    return (table.c.app_id == app_id) & (table.c.name == name)


def _environment(row: RowMapping) -> BackendEnvironment:
    return BackendEnvironment(
        app_id=row["app_id"],
        name=row["name"],
        stack_name=row["stack_name"],
        deployment_artifacts=row["deployment_artifacts"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
    )
