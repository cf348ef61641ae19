"""Test artifacts of jobs: named queries. The bytes are blobs."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select

from preamp.model.artifacts import Artifact
from preamp.store.blobs import Blob
from preamp.store.tables import artifacts


def replace_artifacts(conn: Connection, branch_id: int, number: int, files: Mapping[str, Blob]) -> None:
    """File name -> blob, in the order of the list; what an earlier attempt left is forgotten."""
    delete_artifacts(conn, branch_id, number)
    rows = [
        {
            "branch_id": branch_id,
            "number": number,
            "ordinal": ordinal,
            "file_name": name,
            "blob": blob.name,
            "size": blob.size,
        }
        for ordinal, (name, blob) in enumerate(files.items())
    ]
    if rows:
        conn.execute(insert(artifacts), rows)


def page_artifacts(
    conn: Connection, branch_id: int, number: int, *, after: int, limit: int
) -> list[Artifact]:
    """A next page goes on after the last ordinal; -1 is before the first."""
    query = select(artifacts).where(_is(branch_id, number), artifacts.c.ordinal > after)
    rows = conn.execute(query.order_by(artifacts.c.ordinal).limit(limit)).mappings()
    return [_artifact(row) for row in rows]


def get_artifact(conn: Connection, branch_id: int, number: int, ordinal: int) -> Artifact | None:
    query = select(artifacts).where(_is(branch_id, number), artifacts.c.ordinal == ordinal)
    row = conn.execute(query).mappings().first()
    return _artifact(row) if row else None


def delete_artifacts(conn: Connection, branch_id: int, number: int) -> None:
    conn.execute(delete(artifacts).where(_is(branch_id, number)))


def _is(branch_id: int, number: int) -> ColumnElement[bool]:
    return (artifacts.c.branch_id == branch_id) & (artifacts.c.number == number)


def _artifact(row: RowMapping) -> Artifact:
    return Artifact(
        branch_id=row["branch_id"],
        number=row["number"],
        ordinal=row["ordinal"],
        file_name=row["file_name"],
        blob=row["blob"],
        size=row["size"],
    )
