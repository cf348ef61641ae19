"""Bring a database to this version's tables, forward only, under a lock.

The database notes its schema and, when that is another one, the oldest schema whose programs work on it:
`0003 0002`. So a program of the version before starts on what its successor has migrated already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from preamp.store.database import Database
from preamp.store.migrations import MIGRATIONS


class NewerDataError(Exception):
    """The database was written by a newer Preamp."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Schema:
    revision: str
    works_with: str
    """Programs that know this revision work on it, too."""

    @classmethod
    def of(cls, conn: Connection) -> _Schema | None:
        """None of an empty database."""
        text = MigrationContext.configure(conn).get_current_revision()
        if text is None:
            return None
        revision, _, older = text.partition(" ")
        return cls(revision=revision, works_with=older or revision)

    @classmethod
    def after(cls, migration: ModuleType) -> _Schema:
        revision: str = migration.revision
        return cls(revision=revision, works_with=getattr(migration, "works_with", revision))

    def __str__(self) -> str:
        return self.revision if self.works_with == self.revision else f"{self.revision} {self.works_with}"


def upgrade(database: Database, migrations: Sequence[ModuleType] = MIGRATIONS) -> None:
    """Run what is missing of the migrations, in the one transaction that notes them as done.

    Raises NewerDataError; the database is unchanged then.
    """
    with database.read() as conn:
        if not _missing(conn, migrations):
            return
    with database.write() as tx:
        tx.take_time()
        missing = _missing(tx.conn, migrations)
        if not missing:
            return
        context = MigrationContext.configure(tx.conn)
        context._ensure_version_table()  # noqa: SLF001 (alembic's own commands call it the same way)
        with Operations.context(context) as operations:
            for migration in missing:
                migration.upgrade(operations)
        table = context._version  # noqa: SLF001
        tx.conn.execute(table.delete())
        tx.conn.execute(table.insert().values(version_num=str(_Schema.after(missing[-1]))))


def _missing(conn: Connection, migrations: Sequence[ModuleType]) -> Sequence[ModuleType]:
    """Those that were not run. Raises NewerDataError."""
    found = _Schema.of(conn)
    if found is None:
        return migrations
    known = [migration.revision for migration in migrations]
    if found.revision in known:
        return migrations[known.index(found.revision) + 1 :]
    if found.works_with in known:
        return ()
    raise NewerDataError(
        f"the data was written by a newer Preamp (schema {found.revision}, this version knows up to "
        f"{known[-1]}); install that version, or use another data folder with --data"
    )
