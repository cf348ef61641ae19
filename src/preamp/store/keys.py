"""Access keys: named queries. Secrets are sealed; a policy is IAM-style JSON, None = everything."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from preamp.model.keys import Key
from preamp.store.sealing import MasterKey
from preamp.store.tables import keys

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ADMINISTRATOR = "administrator"


# Built once: on every request, building and hashing a statement costs more than running it.
_GET = select(keys).where(keys.c.access_key_id == bindparam("id"))


def create_key(
    conn: Connection, master: MasterKey, *, account: str, name: str, policy: str | None, now: int
) -> Key:
    """A new random key: `AKIA` and 16 characters, a secret of 40 characters, as AWS's own."""
    key_id = "AKIA" + "".join(secrets.choice(_BASE32) for _ in range(16))
    secret = secrets.token_urlsafe(30)
    conn.execute(
        insert(keys).values(
            access_key_id=key_id,
            account=account,
            name=name,
            secret_sealed=master.seal(secret, owner=key_id),
            policy=policy,
            enabled=True,
            created_ms=now,
        )
    )
    return Key(
        access_key_id=key_id,
        account=account,
        name=name,
        secret=secret,
        policy=policy,
        enabled=True,
        created_ms=now,
    )


def get_key(conn: Connection, master: MasterKey, access_key_id: str) -> Key | None:
    row = conn.execute(_GET, {"id": access_key_id}).mappings().first()
    return _key(row, master) if row else None


def first_administrator(conn: Connection, master: MasterKey) -> Key | None:
    """The oldest enabled key without a policy: what `preamp env` prints."""
    row = (
        conn.execute(
            select(keys)
            .where(keys.c.enabled.is_(True), keys.c.policy.is_(None))
            .order_by(keys.c.created_ms, keys.c.access_key_id)
            .limit(1)
        )
        .mappings()
        .first()
    )
    return _key(row, master) if row else None


def list_keys(conn: Connection, master: MasterKey) -> list[Key]:
    """Oldest first."""
    rows = conn.execute(select(keys).order_by(keys.c.created_ms, keys.c.access_key_id)).mappings()
    return [_key(row, master) for row in rows]


def set_enabled(conn: Connection, access_key_id: str, *, enabled: bool) -> bool:
    """False when there is no such key."""
    done = conn.execute(update(keys).where(keys.c.access_key_id == access_key_id).values(enabled=enabled))
    return done.rowcount == 1


def delete_key(conn: Connection, access_key_id: str) -> bool:
    """False when there is no such key."""
    return conn.execute(delete(keys).where(keys.c.access_key_id == access_key_id)).rowcount == 1


def _key(row: RowMapping, master: MasterKey) -> Key:
    return Key(
        access_key_id=row["access_key_id"],
        account=row["account"],
        name=row["name"],
        secret=master.open(row["secret_sealed"], owner=row["access_key_id"]),
        policy=row["policy"],
        enabled=row["enabled"],
        created_ms=row["created_ms"],
    )
