"""One round of cleaning: what its limits no longer keep, and what nothing refers to any more."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.engine.retention import Expired, find_expired, remove_expired
from preamp.settings import Settings
from preamp.store import audit
from preamp.store.blobs import LocalBlobs
from preamp.store.database import NOTHING
from preamp.store.folder import DataFolder
from preamp.store.garbage import GRACE_MS, Garbage, find_garbage, orphaned_logs, remove
from preamp.store.stores import Stores

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What was removed, or would be."""

    expired: Expired
    blobs: Garbage
    logs: tuple[tuple[int, int], ...]
    """Of jobs that are gone already."""
    leftovers: int
    """Uploads that broke off; unknown before they are removed."""


def collect_garbage(
    stores: Stores, settings: Settings, *, now: int, dry_run: bool = False, grace_ms: int = GRACE_MS
) -> Collected:
    """`now` by a clock that can be trusted (`clock.SteadyClock`). Blocking.

    Blobs in S3 are left alone: what was put again cannot be told there from what nobody wants any more.
    Raises ManifestError, with no blob removed, when a release cannot be read.
    """
    database, folder = stores.database, DataFolder(settings.data)
    expired = find_expired(database, settings, now=now)
    if not dry_run:
        remove_expired(database, stores.logs, expired)
        with database.write(NOTHING) as tx:
            audit.delete_before(tx.conn, now - settings.keep_audit_days * DAY_MS)
    logs = orphaned_logs(database, folder)
    if not dry_run:
        for branch_id, number in logs:
            stores.logs.delete_job(branch_id, number)
    blobs, leftovers = Garbage(blobs=()), 0
    if isinstance(stores.blobs, LocalBlobs):
        if not dry_run:
            leftovers = stores.blobs.remove_leftovers(before_ms=now - grace_ms)
        blobs = find_garbage(database, stores.blobs, now=now, grace_ms=grace_ms)
        if not dry_run:
            blobs = remove(stores.blobs, blobs)
    return Collected(expired=expired, blobs=blobs, logs=tuple(logs), leftovers=leftovers)
