"""Blobs and logs that nothing refers to any more, found and removed while everything runs.

A blob is written before the row that refers to it, so "not referenced" alone means nothing: it must also not
have been put for a grace time. Putting a blob that is there already counts as putting it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from preamp.model.releases import Body
from preamp.store.blobs import BlobStore, LocalBlobs
from preamp.store.blobs.base import StoredBlob
from preamp.store.database import NOTHING, Database
from preamp.store.logs import LogStore
from preamp.store.manifests import read_manifest
from preamp.store.tables import artifacts, attempts, branches, jobs, releases, steps, uploads
from preamp.store.twins import forget_twins, known_twins

GRACE_MS = 24 * 3600 * 1000
"""Longer than any job or upload takes from its first blob to its row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Garbage:
    """What a look has found."""

    blobs: tuple[StoredBlob, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(blob.size for blob in self.blobs)


def find_garbage(database: Database, blobs: LocalBlobs, *, now: int, grace_ms: int = GRACE_MS) -> Garbage:
    """Blobs without reference that were put more than the grace time ago. Blocking, reads every manifest.

    Raises ManifestError for a release whose manifest is gone: what it refers to cannot be known then, and
    nothing may be removed.
    """
    stored = [blob for blob in blobs.list() if blob.modified_ms < now - grace_ms]
    kept = referenced(database, blobs)
    # Twins go one look after their source: whoever publishes it again meanwhile relies on them.
    kept.update(known_twins(blobs))
    return Garbage(blobs=tuple(blob for blob in stored if blob.name not in kept))


def referenced(database: Database, blobs: BlobStore) -> set[str]:
    """Every blob that is needed now. Raises ManifestError when a manifest is gone."""
    with database.read() as conn:
        manifests = {row[0]: row[1] for row in conn.execute(_MANIFESTS)}
        names = {*manifests, *_named_in_rows(conn)}
    for name, size in manifests.items():
        names.update(body.blob for body in read_manifest(blobs, Body(blob=name, size=size)).bodies)
    return names


def remove(blobs: LocalBlobs, found: Garbage) -> Garbage:
    """What was removed: everything that was not put again since it was found."""
    removed = tuple(blob for blob in found.blobs if blobs.delete_unchanged(blob))
    for blob in removed:
        forget_twins(blobs, blob.name)
    return Garbage(blobs=removed)


_MANIFESTS = select(releases.c.manifest_blob, releases.c.manifest_size).distinct()


def _named_in_rows(conn: Connection) -> Iterator[str]:
    for query in (
        select(uploads.c.blob).where(uploads.c.blob.is_not(None)),
        select(artifacts.c.blob),
    ):
        yield from (row[0] for row in conn.execute(query))


def orphaned_logs(database: Database, logs: LogStore) -> list[tuple[int, int]]:
    """(branch id, job) of logs whose job is gone. A job's row is there before its logs."""
    present = list(logs.sizes())
    gone = []
    with database.read() as conn:
        for branch_id in {branch_id for branch_id, _ in present}:
            known = {
                row[0] for row in conn.execute(select(jobs.c.number).where(jobs.c.branch_id == branch_id))
            }
            gone += [item for item in present if item[0] == branch_id and item[1] not in known]
    return gone


def orphaned_rows(database: Database) -> list[int]:
    """Branches that are gone and left steps or attempts. A branch's id is not given out again."""
    with database.read() as conn:
        known = select(branches.c.branch_id)
        return sorted(
            {
                row[0]
                for table in (steps, attempts)
                for row in conn.execute(
                    select(table.c.branch_id).where(table.c.branch_id.not_in(known)).distinct()
                )
            }
        )


def remove_rows(database: Database, branch_ids: Iterable[int]) -> None:
    """The steps and attempts, each branch in a transaction of its own."""
    for branch_id in branch_ids:
        with database.write(NOTHING) as tx:
            for table in (steps, attempts):
                tx.conn.execute(delete(table).where(table.c.branch_id == branch_id))
