"""A data folder opened by a command, whether a server runs on it or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from preamp.cli.options import load_settings

if TYPE_CHECKING:
    from preamp.settings import Settings
    from preamp.store.database import Database
    from preamp.store.sealing import MasterKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    settings: Settings
    database: Database
    master: MasterKey
    told: dict[str, str] = field(default_factory=dict)
    """What the audit log is to have of a change beside the command's arguments."""


@contextmanager
def opened(data: Path | None) -> Iterator[Opened]:
    """The folder is made when it is missing: keys and quotas can be set before the first start."""
    from preamp.store.folder import DataFolder
    from preamp.store.migrate import upgrade
    from preamp.store.stores import load_master, open_database

    settings = load_settings(data=data)
    folder = DataFolder(settings.data)
    folder.make()
    database = open_database(settings)
    try:
        upgrade(database)
        yield Opened(settings=settings, database=database, master=load_master(settings))
    finally:
        database.close()
