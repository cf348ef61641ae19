"""Migrations of two releases that do not exist, and programs of them: what an upgrade will be like.

`python -m tests.support.next_versions N ...` is `preamp ...` of the N-th version after this one: today's code
with the migrations that such a version would bring.
"""

from __future__ import annotations

import sys
from types import ModuleType

import sqlalchemy as sa
from alembic.operations import Operations

from preamp.store import migrations
from preamp.store.migrations import MIGRATIONS


def _add(op: Operations) -> None:
    """A pre migration: a column that may be empty, one with a default, a table and an index."""
    op.add_column("jobs", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("branches", sa.Column("colour", sa.Text(), server_default="red", nullable=False))
    op.create_table(
        "notes", sa.Column("seq", sa.BigInteger(), primary_key=True), sa.Column("text", sa.Text())
    )
    op.create_index("branches_by_colour", "branches", ["colour"])


def _tighten(op: Operations) -> None:
    """A post migration: what no running version uses any more goes."""
    op.execute("UPDATE jobs SET note = '' WHERE note IS NULL")
    op.drop_table("notes")
    op.drop_index("branches_by_colour", "branches")


def _migration(revision: str, works_with: str, upgrade: object) -> ModuleType:
    module = ModuleType(f"m{revision}")
    vars(module).update(revision=revision, works_with=works_with, upgrade=upgrade)
    return module


THIS = MIGRATIONS[-1].revision
VERSIONS = (
    MIGRATIONS,
    (*MIGRATIONS, pre := _migration("9001", THIS, _add)),
    (*MIGRATIONS, pre, _migration("9002", "9001", _tighten)),
)
"""The migrations of this version, of the next one, and of the one after it."""


def main() -> None:
    # Before anything else of Preamp is imported, so that all of it is of that version.
    migrations.MIGRATIONS = VERSIONS[int(sys.argv.pop(1))]
    from preamp.cli.main import main as preamp

    sys.exit(preamp())


if __name__ == "__main__":
    main()
