"""Releases: named queries."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, insert, select

from preamp.model.releases import Body, Release
from preamp.store.tables import releases


def insert_release(conn: Connection, release: Release) -> None:
    conn.execute(
        insert(releases).values(
            release_id=release.release_id,
            branch_id=release.branch_id,
            job=release.job,
            manifest_blob=release.manifest.blob,
            manifest_size=release.manifest.size,
            file_count=release.file_count,
            total_bytes=release.total_bytes,
            created_ms=release.created_ms,
        )
    )


def get_release(conn: Connection, release_id: str) -> Release | None:
    row = conn.execute(select(releases).where(releases.c.release_id == release_id)).mappings().first()
    return _release(row) if row else None


def get_release_of_job(conn: Connection, branch_id: int, job: int) -> Release | None:
    row = (
        conn.execute(select(releases).where(releases.c.branch_id == branch_id, releases.c.job == job))
        .mappings()
        .first()
    )
    return _release(row) if row else None


def releases_before(conn: Connection, branch_id: int, *, job: int, limit: int) -> list[Release]:
    """The releases of earlier jobs, newest first."""
    rows = conn.execute(
        select(releases)
        .where(releases.c.branch_id == branch_id, releases.c.job < job)
        .order_by(releases.c.job.desc())
        .limit(limit)
    ).mappings()
    return [_release(row) for row in rows]


def releases_beside(conn: Connection, branch_id: int, *, job: int, limit: int) -> list[Release]:
    """The releases of other jobs, newest first: after a rollback also those of later ones."""
    rows = conn.execute(
        select(releases)
        .where(releases.c.branch_id == branch_id, releases.c.job != job)
        .order_by(releases.c.job.desc())
        .limit(limit)
    ).mappings()
    return [_release(row) for row in rows]


def delete_release_of_job(conn: Connection, branch_id: int, job: int) -> None:
    conn.execute(delete(releases).where(releases.c.branch_id == branch_id, releases.c.job == job))


def _release(row: RowMapping) -> Release:
    return Release(
        release_id=row["release_id"],
        branch_id=row["branch_id"],
        job=row["job"],
        manifest=Body(blob=row["manifest_blob"], size=row["manifest_size"]),
        file_count=row["file_count"],
        total_bytes=row["total_bytes"],
        created_ms=row["created_ms"],
    )
