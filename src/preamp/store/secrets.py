"""Secrets of builds: named queries. Values are sealed in the database."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, insert, select

from preamp.model.secrets import EVERY_BRANCH, Secret
from preamp.store.sealing import MasterKey
from preamp.store.tables import secrets


def put_secret(conn: Connection, master: MasterKey, secret: Secret) -> None:
    """Store it in place of the one of that name, if there is one."""
    delete_secret(conn, secret.app_id, secret.branch, secret.name)
    conn.execute(
        insert(secrets).values(
            app_id=secret.app_id,
            branch=secret.branch,
            name=secret.name,
            value_sealed=master.seal(secret.value, owner=_owner(secret.app_id, secret.branch, secret.name)),
            as_variable=secret.as_variable,
            updated_ms=secret.updated_ms,
        )
    )


def list_secrets(conn: Connection, master: MasterKey, app_id: str) -> list[Secret]:
    """By branch and name; those of every branch first. Raises SealError."""
    query = select(secrets).where(secrets.c.app_id == app_id).order_by(secrets.c.branch, secrets.c.name)
    return [_secret(row, master) for row in conn.execute(query).mappings()]


def secrets_of_branch(conn: Connection, master: MasterKey, app_id: str, branch: str) -> dict[str, Secret]:
    """By name; a branch's own wins over the one of every branch. Raises SealError."""
    found = list_secrets(conn, master, app_id)
    return {
        secret.name: secret for place in (EVERY_BRANCH, branch) for secret in found if secret.branch == place
    }


def delete_secret(conn: Connection, app_id: str, branch: str, name: str) -> bool:
    done = conn.execute(
        delete(secrets).where(secrets.c.app_id == app_id, secrets.c.branch == branch, secrets.c.name == name)
    )
    return done.rowcount > 0


def _owner(app_id: str, branch: str, name: str) -> str:
    # A branch's name may contain anything but a zero byte.
    return f"secret\0{app_id}\0{branch}\0{name}"


def _secret(row: RowMapping, master: MasterKey) -> Secret:
    owner = _owner(row["app_id"], row["branch"], row["name"])
    return Secret(
        app_id=row["app_id"],
        branch=row["branch"],
        name=row["name"],
        value=master.open(row["value_sealed"], owner=owner),
        as_variable=row["as_variable"],
        updated_ms=row["updated_ms"],
    )
