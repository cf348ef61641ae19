"""PostgreSQL: the database of many machines, through the same named queries.

Where SQLite has one writer at a time, transactions here say what they rely on by advisory locks (see
`Lock`). They are taken in one order (everything or a branch, then an account, then the change log), so
that no two transactions wait for each other, and they end with the transaction or its connection.
"""

from __future__ import annotations

import zlib
from enum import IntEnum, StrEnum
from typing import Any

import psycopg
from psycopg import errors
from psycopg.types.string import StrDumper
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import ArgumentError, DBAPIError

from preamp.model.errors import BadRequest, DependentServiceFailure
from preamp.settings import SettingsError
from preamp.store.database import Database, Lock

CONNECT_SECONDS = 5
POOL_SECONDS = 10
"""How long an operation waits for a free connection."""
SESSION = {
    "application_name": "preamp",
    # A frozen or cut-off process must not hold its locks for longer than this.
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "20s",
    "statement_timeout": "60s",
    # The server's side of a connection whose machine vanished; the default is two hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "client_encoding": "UTF8",
    "timezone": "UTC",
}
SOCKET = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Our side of it."""


class _Kind(IntEnum):
    """The first byte of an advisory lock's key."""

    EVERYTHING = 0x51
    BRANCH = 0x52
    ACCOUNT = 0x53
    CHANGES = 0x54
    LEADER = 0x55


LEADER_KEY = _Kind.LEADER << 48


class Advisory:
    """Coordination by advisory locks and NOTIFY."""

    write_isolation: IsolationLevel = "READ COMMITTED"

    def begin(self, conn: Connection, lock: Lock) -> None:
        everything = _key(_Kind.EVERYTHING)
        if lock.exclusive:
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (everything,))
        elif lock.branch is not None:
            conn.exec_driver_sql(
                "SELECT pg_advisory_xact_lock_shared(%s), pg_advisory_xact_lock(%s)",
                (everything, _key(_Kind.BRANCH, lock.branch)),
            )

    def hold_account(self, conn: Connection, account: str) -> None:
        # Two accounts with one checksum wait for each other, nothing more.
        key = _key(_Kind.ACCOUNT, zlib.crc32(account.encode()))
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (key,))

    def hold_changes(self, conn: Connection) -> None:
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_key(_Kind.CHANGES),))

    def take_time(self, conn: Connection) -> None:
        conn.exec_driver_sql("SET LOCAL statement_timeout = 0")

    def notify(self, conn: Connection, channel: str, text: str) -> None:
        conn.exec_driver_sql("SELECT pg_notify(%s, %s)", (channel, text))

    def translated(self, error: DBAPIError) -> Exception:
        cause = error.orig
        if isinstance(cause, errors.DataError) and "NUL" in str(cause):
            return BadRequest("A text may not contain the character NUL.")
        if isinstance(cause, errors.DiskFull):
            return DependentServiceFailure("The disk of the database is full; nothing was changed.")
        if isinstance(cause, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure):
            return DependentServiceFailure("The database stayed locked; nothing was changed. Try again.")
        if isinstance(cause, errors.ReadOnlySqlTransaction | errors.InsufficientPrivilege):
            return DependentServiceFailure(f"The database refuses to write: {_line(cause)}")
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            return DependentServiceFailure(f"The database is away: {_line(cause)}"[:255])
        return error


def open_postgres(url: str, *, read_only: bool = False, pool_size: int = 10) -> Database:
    """The database of many machines. `read_only` connections cannot write.

    Connects when it is first used. Raises SettingsError for an address that cannot be one.
    """
    options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    if read_only:
        options += " -c default_transaction_read_only=on"
    engine = create_engine(
        sqlalchemy_url(url),
        connect_args={**SOCKET, "options": options, "prepare_threshold": 5},
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=POOL_SECONDS,
        # A connection that died while it rested (the server was restarted) is replaced, not handed out.
        pool_pre_ping=True,
        # Of reads: all statements see one snapshot.
        isolation_level="REPEATABLE READ",
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: Any) -> None:
        # psycopg would write an enum's name; the store means its value.
        raw.adapters.register_dumper(StrEnum, StrDumper)

    return Database(engine, shared=Advisory())


def sqlalchemy_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError("the database must be given as postgresql://user@host/name") from error
    if parsed.drivername not in {"postgresql", "postgres"}:
        raise SettingsError(
            f"the database must be given as postgresql://user@host/name, not {parsed.drivername}://"
        )
    return parsed.set(drivername="postgresql+psycopg")


def _key(kind: _Kind, number: int = 0) -> int:
    return (kind << 48) | (number & 0xFFFF_FFFF_FFFF)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
