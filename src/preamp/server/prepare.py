"""Make a data folder ready for this version: tables, master key, first administrator."""

from __future__ import annotations

from preamp.model.times import now_ms
from preamp.settings import Settings
from preamp.store import keys
from preamp.store.database import open_sqlite
from preamp.store.folder import DataFolder
from preamp.store.migrate import upgrade
from preamp.store.sealing import MasterKey


def prepare(folder: DataFolder, settings: Settings) -> None:
    """Raises NewerDataError, SealError. Doing it twice changes nothing."""
    folder.make()
    master = MasterKey.load(folder.master_key)
    database = open_sqlite(folder.database)
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
