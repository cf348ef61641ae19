"""Make a data folder ready for this version: tables, master key, first administrator."""

from __future__ import annotations

from preamp.model.times import now_ms
from preamp.settings import Settings
from preamp.store import keys
from preamp.store.backup import remove_backup_leftovers
from preamp.store.folder import DataFolder
from preamp.store.migrate import upgrade
from preamp.store.stores import load_master, open_database


def prepare(folder: DataFolder, settings: Settings) -> None:
    """Raises NewerDataError, SealError, SettingsError, DependentServiceFailure. Doing it twice changes
    nothing."""
    folder.make()
    remove_backup_leftovers(folder)
    master = load_master(settings)
    database = open_database(settings)
    try:
        upgrade(database)
        with database.write() as tx:
            # Also when keys with policies were made before the first start: `preamp env` needs this one.
            if all(key.policy is not None for key in keys.list_keys(tx.conn, master)):
                keys.create_key(
                    tx.conn,
                    master,
                    account=settings.account_id,
                    name=keys.ADMINISTRATOR,
                    policy=None,
                    now=now_ms(),
                )
    finally:
        database.close()
