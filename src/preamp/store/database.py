"""Connections and transactions, the same for every database.

SQLite runs in WAL mode with `synchronous=FULL`: once `write()` has returned, the change survives a
power cut, so that what is acknowledged to a client is never lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from preamp.model.errors import DependentServiceFailure
from preamp.store.bell import Bell

BUSY_SECONDS = 30
"""How long a writer waits for another process's transaction before it gives up."""


@dataclass(frozen=True, slots=True)
class Write:
    """An open write transaction."""

    conn: Connection
    _bell: Bell | None = None
    _after: list[Callable[[], None]] = field(default_factory=list)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction is durable; it is dropped on rollback."""
        self._after.append(action)


    def ring_after_commit(self, sequence: int) -> None:
        """Tell the edges of this machine about a change of hosting."""
        if self._bell is not None:
            bell = self._bell
            self.after_commit(lambda: bell.ring(sequence))


class Database:
    """One database and its pool of connections; safe to use from several threads."""

    def __init__(self, engine: Engine, bell: Bell | None = None) -> None:
        self.engine = engine
        self.bell = bell

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; writers are not blocked by it."""
        with self.engine.connect() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Write]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises DependentServiceFailure when the disk is full or the database stays locked; nothing is
        changed then.
        """
        try:
            with self.engine.connect() as plain:
                conn = plain.execution_options(preamp_write=True)
                tx = Write(conn, self.bell)
                with conn.begin():
                    yield tx
        except OperationalError as error:
            raise _translated(error) from error
        for action in tx._after:  # noqa: SLF001 (a tuple of the two is what this module is)
            action()

    def close(self) -> None:
        self.engine.dispose()
        if self.bell is not None:
            self.bell.close()


def open_sqlite(path: Path, *, read_only: bool = False) -> Database:
    """The embedded database. `read_only` connections cannot write, by construction."""
    uri = f"file:{path.as_posix()}?mode={'ro' if read_only else 'rwc'}&uri=true"
    engine = create_engine(
        f"sqlite:///{uri}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # transactions are begun by `begin` below
        cursor = raw.cursor()
        if not read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-16384")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        # A writer takes the lock at once: upgrading a read lock later can fail half-way.
        writes = conn.get_execution_options().get("preamp_write", False)
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Database(engine, Bell(path.with_name(f"{path.name}-changes")))


def _translated(error: OperationalError) -> Exception:
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        primary = code & 0xFF
        if primary == sqlite3.SQLITE_FULL:
            return DependentServiceFailure("The disk of the data folder is full; nothing was changed.")
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return DependentServiceFailure(
                f"The database stayed locked for {BUSY_SECONDS} s; nothing was changed. Try again."
            )
        if primary == sqlite3.SQLITE_IOERR:
            return DependentServiceFailure("The disk of the data folder reports an I/O error.")
    return error
