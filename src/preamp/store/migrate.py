"""Bring a database to this version's tables, forward only, under a lock."""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.operations import Operations

from preamp.store.database import Database
from preamp.store.migrations import MIGRATIONS


class NewerDataError(Exception):
    """The database was written by a newer Preamp."""


def upgrade(database: Database) -> None:
    """Run what is missing, each migration in the one transaction that notes it as done.

    Raises NewerDataError; the database is unchanged then.
    """
    revisions = [migration.revision for migration in MIGRATIONS]
    with database.read() as conn:
        if MigrationContext.configure(conn).get_current_revision() == revisions[-1]:
            return
    with database.write() as tx:
        tx.take_time()
        context = MigrationContext.configure(tx.conn)
        current = context.get_current_revision()
        if current is not None and current not in revisions:
            raise NewerDataError(
                f"the data was written by a newer Preamp (schema {current}, this version knows up to "
                f"{revisions[-1]}); install that version, or use another data folder with --data"
            )
        done = revisions.index(current) + 1 if current else 0
        if done == len(revisions):
            return
        context._ensure_version_table()  # noqa: SLF001 (alembic's own commands call it the same way)
        with Operations.context(context) as operations:
            for migration in MIGRATIONS[done:]:
                migration.upgrade(operations)
        table = context._version  # noqa: SLF001
        tx.conn.execute(table.delete())
        tx.conn.execute(table.insert().values(version_num=revisions[-1]))
