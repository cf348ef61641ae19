"""Uploads of manual deployments: which files are expected and which have arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from preamp.store.blobs import Blob
from preamp.store.tables import uploads

ZIP = ""
"""The path of the one archive of a deployment that was created without a file map."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An expected file."""

    ordinal: int
    """Names it within its deployment."""
    path: str
    """In the site; `ZIP` for the archive."""
    md5: str | None
    """Lower-case hexadecimal, as the client announced it."""
    blob: Blob | None
    """None until it has arrived."""


def expect(conn: Connection, branch_id: int, number: int, files: Mapping[str, str | None]) -> None:
    """Announce paths with their MD5 (None: any bytes)."""
    rows = [
        {"branch_id": branch_id, "number": number, "ordinal": ordinal, "path": path, "md5": md5}
        for ordinal, (path, md5) in enumerate(files.items())
    ]
    conn.execute(insert(uploads), rows)


def receive(conn: Connection, branch_id: int, number: int, ordinal: int, blob: Blob, *, now: int) -> bool:
    """Note what arrived; the last upload of a file counts. False when it is not expected (any more)."""
    done = conn.execute(
        update(uploads)
        .where(_is(branch_id, number), uploads.c.ordinal == ordinal)
        .values(blob=blob.name, size=blob.size, received_ms=now)
    )
    return done.rowcount == 1


def get_upload(conn: Connection, branch_id: int, number: int, ordinal: int) -> Upload | None:
    query = select(uploads).where(_is(branch_id, number), uploads.c.ordinal == ordinal)
    row = conn.execute(query).mappings().first()
    return _upload(row) if row else None


def list_uploads(conn: Connection, branch_id: int, number: int) -> list[Upload]:
    query = select(uploads).where(_is(branch_id, number)).order_by(uploads.c.ordinal)
    return [_upload(row) for row in conn.execute(query).mappings()]


def delete_uploads(conn: Connection, branch_id: int, number: int) -> None:
    conn.execute(delete(uploads).where(_is(branch_id, number)))


def _is(branch_id: int, number: int) -> ColumnElement[bool]:
    return (uploads.c.branch_id == branch_id) & (uploads.c.number == number)


def _upload(row: RowMapping) -> Upload:
    return Upload(
        ordinal=row["ordinal"],
        path=row["path"],
        md5=row["md5"],
        blob=Blob(name=row["blob"], size=row["size"]) if row["blob"] else None,
    )
