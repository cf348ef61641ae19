"""One round of cleaning: what its limits no longer keep, and what nothing refers to any more."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.engine.retention import Expired, find_expired, remove_expired
from preamp.settings import Settings
from preamp.store import audit
from preamp.store.blobs import LocalBlobs
from preamp.store.database import NOTHING
from preamp.store.garbage import (
    GRACE_MS,
    Garbage,
    find_garbage,
    orphaned_logs,
    orphaned_rows,
    referenced,
    remove,
    remove_rows,
)
from preamp.store.stores import Stores

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What was removed, or would be."""

    expired: Expired
    blobs: Garbage
    logs: tuple[tuple[int, int], ...]
    """Of jobs that are gone already."""
    branches: int
    """That are gone already and left rows."""
    leftovers: int
    """Uploads that broke off; unknown before they are removed."""


def collect_garbage(
    stores: Stores, settings: Settings, *, now: int, dry_run: bool = False, grace_ms: int = GRACE_MS
) -> Collected:
    """`now` by a clock that can be trusted (`clock.SteadyClock`). Blocking.

    Blobs in S3 go in two rounds, a grace time apart (`blobs.copies`). Raises ManifestError, with no blob
    removed, when a release cannot be read.
    """
    database = stores.database
    expired = find_expired(database, settings, now=now)
    if not dry_run:
        remove_expired(database, stores.logs, expired)
        with database.write(NOTHING) as tx:
            audit.delete_before(tx.conn, now - settings.keep_audit_days * DAY_MS)
    logs, rows = orphaned_logs(database, stores.logs), orphaned_rows(database)
    if not dry_run:
        for branch_id, number in logs:
            stores.logs.delete_job(branch_id, number)
        remove_rows(database, rows)
    blobs, leftovers = Garbage(blobs=()), 0
    if isinstance(stores.blobs, LocalBlobs):
        if not dry_run:
            leftovers = stores.blobs.remove_leftovers(before_ms=now - grace_ms)
        blobs = find_garbage(database, stores.blobs, now=now, grace_ms=grace_ms)
        if not dry_run:
            blobs = remove(stores.blobs, blobs)
    else:
        # Only here, so that the embedded form needs neither the time nor the memory.
        from preamp.store.blobs.s3 import S3Blobs

        assert isinstance(stores.blobs, S3Blobs), "there are two stores"
        seen = stores.blobs.look()
        needed = referenced(database, stores.blobs)
        removed = stores.blobs.collect(seen, needed, now=now, grace_ms=grace_ms, dry_run=dry_run)
        blobs = Garbage(blobs=removed)
    return Collected(expired=expired, blobs=blobs, logs=tuple(logs), branches=len(rows), leftovers=leftovers)
