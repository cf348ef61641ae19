"""Reads that nearly every request makes: built once, and with little between them and the driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Select, String


class Prepared:
    """A SELECT of numbers and texts; values are given by the names of its `bindparam`s.

    On the embedded database the driver runs it as it is, in the connection's transaction: what SQLAlchemy
    does for each execution and each row takes longer than SQLite. Elsewhere SQLAlchemy runs it.
    """

    def __init__(self, statement: Select[Any]) -> None:
        """Raises TypeError for columns that a driver may return in a form of its own."""
        for column in statement.selected_columns:
            if not isinstance(column.type, Integer | String):
                raise TypeError(f"{column} is neither a number nor a text")
        self._statement = statement
        self._sql = ""
        self._order: tuple[str, ...] = ()
        self._constants: dict[str, Any] = {}

    def all(self, conn: Connection, **values: int | str) -> Sequence[Sequence[Any]]:
        """The rows, as sequences in the order of the selected columns."""
        if conn.dialect.name != "sqlite":
            return conn.execute(self._statement, values).all()
        if not self._sql:
            self._compile(conn)
        if not conn.in_transaction():
            conn.begin()
        found = {**self._constants, **values}
        cursor = conn.connection.cursor()
        try:
            cursor.execute(self._sql, tuple([found[name] for name in self._order]))
            return cursor.fetchall()
        finally:
            cursor.close()

    def first(self, conn: Connection, **values: int | str) -> Sequence[Any] | None:
        """The first row of a few."""
        rows = self.all(conn, **values)
        return rows[0] if rows else None

    def _compile(self, conn: Connection) -> None:
        compiled = self._statement.compile(dialect=conn.dialect)
        self._constants = dict(compiled.params)  # such as the OFFSET 0 that the dialect adds
        self._order = tuple(getattr(compiled, "positiontup"))  # noqa: B009 (of SQL, not of every Compiled)
        self._sql = str(compiled)
