"""Everything that is kept, as the settings say where: in the data folder, or for many machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preamp.settings import Settings
from preamp.store.access_logs import AccessLogFolder, AccessLogs
from preamp.store.blobs import BlobStore, LocalBlobs
from preamp.store.database import Database, open_sqlite
from preamp.store.folder import DataFolder
from preamp.store.logs import LogFolder, LogStore
from preamp.store.sealing import MasterKey

if TYPE_CHECKING:
    from preamp.store.listen import HeardChanges


@dataclass(frozen=True, kw_only=True, slots=True)
class Stores:
    """One process's way to all state."""

    database: Database
    blobs: BlobStore
    logs: LogStore
    access_logs: AccessLogs

    def close(self) -> None:
        self.logs.close()
        self.access_logs.close()
        self.blobs.close()
        self.database.close()


def open_database(settings: Settings, *, read_only: bool = False) -> Database:
    """Raises SettingsError."""
    if settings.database is None:
        return open_sqlite(DataFolder(settings.data).database, read_only=read_only)
    # Only here, so that the embedded form needs neither the time nor the memory.
    from preamp.store.postgres import open_postgres

    return open_postgres(settings.database, read_only=read_only)


def open_stores(settings: Settings, *, read_only: bool = False) -> Stores:
    """The data folder has been made. `read_only` is about the database. Raises SettingsError."""
    database = open_database(settings, read_only=read_only)
    folder = DataFolder(settings.data)
    if settings.blobs is None:
        return Stores(
            database=database,
            blobs=LocalBlobs(folder.blobs),
            logs=LogFolder(folder.logs),
            access_logs=AccessLogFolder(folder.access),
        )
    from preamp.store.blobs.cache import BlobCache
    from preamp.store.blobs.s3 import S3Blobs
    from preamp.store.objects import open_objects
    from preamp.store.shipped_access_logs import ShippedAccessLogs
    from preamp.store.shipped_logs import ShippedLogs

    objects = open_objects(settings)
    return Stores(
        database=database,
        blobs=S3Blobs(objects, BlobCache(folder.blobs, max_bytes=settings.blob_cache_bytes)),
        logs=ShippedLogs(objects, folder.logs),
        access_logs=ShippedAccessLogs(objects, folder.access),
    )


def listen_to_changes(settings: Settings) -> HeardChanges | None:
    """Changes of hosting that other machines tell of; close it. None: all are made on this one, and
    `Database.bell` tells."""
    if settings.database is None:
        return None
    from preamp.store.listen import HeardChanges

    return HeardChanges(settings.database)


def load_master(settings: Settings) -> MasterKey:
    """What secrets are sealed with. Raises SealError."""
    if settings.master_key is not None:
        return MasterKey(bytes.fromhex(settings.master_key))
    return MasterKey.load(DataFolder(settings.data).master_key)
