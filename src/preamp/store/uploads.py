"""Uploads of manual deployments: which files are expected and which have arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from preamp.store.blobs import Blob
from preamp.store.tables import uploads

ZIP = ""
"""The path of the one archive of a deployment that was created without a file map."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """An expected file."""

    path: str
    """In the site; `ZIP` for the archive."""
    md5: str | None
    """Lower-case hexadecimal, as the client announced it."""
    blob: Blob | None
    """None until it has arrived."""


def expect(conn: Connection, branch_id: int, number: int, files: Mapping[str, str | None]) -> None:
    """Announce paths with their MD5 (None: any bytes)."""
    conn.execute(
        insert(uploads),
        [{"branch_id": branch_id, "number": number, "path": path, "md5": md5} for path, md5 in files.items()],
    )


def receive(conn: Connection, branch_id: int, number: int, path: str, blob: Blob, *, now: int) -> bool:
    """Note what arrived; the last upload of a path counts. False when it is not expected (any more)."""
    done = conn.execute(
        update(uploads)
        .where(uploads.c.branch_id == branch_id, uploads.c.number == number, uploads.c.path == path)
        .values(blob=blob.name, size=blob.size, received_ms=now)
    )
    return done.rowcount == 1


def get_upload(conn: Connection, branch_id: int, number: int, path: str) -> Upload | None:
    return next((upload for upload in list_uploads(conn, branch_id, number) if upload.path == path), None)


def list_uploads(conn: Connection, branch_id: int, number: int) -> list[Upload]:
    rows = conn.execute(
        select(uploads)
        .where(uploads.c.branch_id == branch_id, uploads.c.number == number)
        .order_by(uploads.c.path)
    ).mappings()
    return [
        Upload(
            path=row["path"],
            md5=row["md5"],
            blob=Blob(name=row["blob"], size=row["size"]) if row["blob"] else None,
        )
        for row in rows
    ]


def delete_uploads(conn: Connection, branch_id: int, number: int) -> None:
    conn.execute(uploads.delete().where(uploads.c.branch_id == branch_id, uploads.c.number == number))
