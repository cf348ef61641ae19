"""Connections and transactions, the same for every database.

SQLite runs in WAL mode with `synchronous=FULL`: once `write()` has returned, the change survives a
power cut, so that what is acknowledged to a client is never lost. PostgreSQL is in `postgres`.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from preamp.model.errors import DependentServiceFailure
from preamp.store.bell import Bell

BUSY_SECONDS = 30
"""How long a writer waits for another process's transaction before it gives up."""
RETRY_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """What no other writer may touch while a transaction lasts.

    SQLite has one writer at a time whatever is asked for. PostgreSQL has many, so each transaction says
    what its checks rely on: what it has read and locked stays true until its commit.
    """

    exclusive: bool = False
    """No other transaction with a lock runs at the same time."""
    branch: int | None = None
    """No other one with this branch, nor an exclusive one."""


EVERYTHING = Lock(exclusive=True)
"""What every operation gets that does not ask for less: checks of quotas, names, hosts hold at commit."""
NOTHING = Lock()
"""For single guarded statements, such as heartbeats, that must not wait for anyone."""


def branch_lock(branch_id: int) -> Lock:
    """For the engine: everything that happens to the jobs of one branch, in one order."""
    return Lock(branch=branch_id)


class Coordination(Protocol):
    """What a database with many writers adds to a transaction."""

    write_isolation: IsolationLevel
    """Of write transactions: after waiting for a lock they have to see what its holder committed."""

    def begin(self, conn: Connection, lock: Lock) -> None:
        """Wait for the lock, as the first statement of the transaction."""

    def hold_account(self, conn: Connection, account: str) -> None:
        """Until the end of the transaction, no other one counts the account's running jobs."""

    def hold_changes(self, conn: Connection) -> None:
        """Until the end of the transaction, no other one appends to the change log."""

    def take_time(self, conn: Connection) -> None:
        """Let the statements of this transaction take as long as they need."""

    def notify(self, conn: Connection, channel: str, text: str) -> None:
        """Tell listeners on all machines, once the transaction is committed."""

    def translated(self, error: DBAPIError) -> Exception:
        """What the caller is to see instead, or the error itself."""


@dataclass(frozen=True, slots=True)
class Write:
    """An open write transaction."""

    conn: Connection
    _bell: Bell | None = None
    _shared: Coordination | None = None
    _after: list[Callable[[], None]] = field(default_factory=list)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction is durable; it is dropped on rollback."""
        self._after.append(action)

    def notify(self, channel: str, text: str) -> None:
        """Tell listeners on other machines once the transaction is durable; SQLite has none."""
        if self._shared is not None:
            self._shared.notify(self.conn, channel, text)

    def take_time(self) -> None:
        """For migrations: statements that rewrite whole tables are not cut short."""
        if self._shared is not None:
            self._shared.take_time(self.conn)

    def hold_account(self, account: str) -> None:
        """What is counted of the account from here on stays true until the commit."""
        if self._shared is not None:
            self._shared.hold_account(self.conn, account)

    def hold_changes(self) -> None:
        """The change log grows by this transaction alone until its commit, so that numbers are seen in
        their order."""
        if self._shared is not None:
            self._shared.hold_changes(self.conn)

    def ring_after_commit(self, sequence: int) -> None:
        """Tell the edges about a change of hosting."""
        if self._bell is not None:
            bell = self._bell
            self.after_commit(lambda: bell.ring(sequence))
        self.notify(CHANGES_CHANNEL, str(sequence))


CHANGES_CHANNEL = "preamp_changes"


class Database:
    """One database and its pool of connections; safe to use from several threads."""

    def __init__(
        self, engine: Engine, bell: Bell | None = None, *, shared: Coordination | None = None
    ) -> None:
        self.engine = engine
        self.bell = bell
        self._shared = shared
        self._reader: list[Connection] = []
        """At most one that rests until the next read: opening one takes longer than most reads."""
        self._resting = threading.Lock()
        self.patience_s = 0.0
        """How long a transaction waits for a database that is away; only for databases on other machines."""

    @property
    def is_shared(self) -> bool:
        """Whether processes of several machines use it."""
        return self._shared is not None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; writers are not blocked by it.

        Raises DependentServiceFailure when a database on another machine is away.
        """
        try:
            if self._shared is None:
                conn = self._take_reader()
                try:
                    yield conn
                finally:
                    self._put_back(conn)
            else:
                with ExitStack() as stack:
                    yield self._open(stack, None)
        except (DBAPIError, PoolTimeout) as error:
            self._raise_translated(error, writing=False)

    @contextmanager
    def write(self, lock: Lock = EVERYTHING) -> Iterator[Write]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises DependentServiceFailure when the disk is full or the database is away or stays locked.
        Nothing is changed then, with one exception: when the connection breaks during the commit itself,
        nobody can say. Callers that repeat a transaction have to find out what they did.
        """
        try:
            with ExitStack() as stack:
                tx = Write(self._open(stack, lock), self.bell, self._shared)
                yield tx
        except (DBAPIError, PoolTimeout) as error:
            self._raise_translated(error, writing=True)
        for action in tx._after:  # noqa: SLF001 (a tuple of the two is what this module is)
            action()

    def _open(self, stack: ExitStack, lock: Lock | None) -> Connection:
        """A connection, in a transaction when there is a lock. Nothing was done yet, so that it can be
        tried again for as long as this database's users are patient."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                with ExitStack() as attempt:
                    conn = attempt.enter_context(self.engine.connect())
                    if lock is not None:
                        conn = conn.execution_options(preamp_write=True)
                        if self._shared is not None:
                            conn = conn.execution_options(isolation_level=self._shared.write_isolation)
                        attempt.enter_context(conn.begin())
                        if self._shared is not None:
                            self._shared.begin(conn, lock)
                    stack.push(attempt.pop_all())
                    return conn
            except (DBAPIError, PoolTimeout):
                if self._shared is None or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def _raise_translated(self, error: DBAPIError | PoolTimeout, *, writing: bool) -> NoReturn:
        translated: Exception = error
        if isinstance(error, PoolTimeout):
            translated = DependentServiceFailure("All connections to the database are in use. Try again.")
        elif self._shared is not None:
            translated = self._shared.translated(error)
        elif writing:
            translated = _translated(error)
        if translated is error:
            raise error
        raise translated from error

    def _take_reader(self) -> Connection:
        try:
            return self._reader.pop()
        except IndexError:  # several threads may be here
            return self.engine.connect()

    def _put_back(self, conn: Connection) -> None:
        conn.rollback()
        with self._resting:
            if not self._reader:
                self._reader.append(conn)
                return
        conn.close()

    def close(self) -> None:
        while self._reader:
            self._reader.pop().close()
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
        if conn.get_execution_options().get("preamp_write", False):
            conn.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # This cannot fail, and SQLAlchemy's execution of it takes longer than a short read.
            conn.connection.cursor().execute("BEGIN")

    return Database(engine, Bell(path.with_name(f"{path.name}-changes")))


def _translated(error: DBAPIError) -> Exception:
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
