"""A backup of a data folder, taken while everything runs, and its way back.

One tar archive, compressed with Zstandard: the database as of one moment, every blob that it refers to,
logs, access logs, the master key and the settings file. Not in it: caches, mirrors, toolchains, images and
work folders.
Whoever has it has all secrets: it is made readable for its owner only.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import zstandard

from preamp.store.blobs import LocalBlobs
from preamp.store.database import open_sqlite
from preamp.store.folder import DataFolder
from preamp.store.garbage import referenced
from preamp.store.manifests import ManifestError
from preamp.store.scratch import goes_along, remove_dead, scratch_folder

FORMAT = "preamp-backup-1"
"""The first member, an empty file: tells a backup from any other archive."""
BACKUP_PREFIX = "backup-"
"""Of folders in `run/`, as long as a backup is being made."""
_TRIES = 5


class BackupError(Exception):
    """No backup was made, or none restored; the text says why."""


def make_backup(folder: DataFolder, target: Path) -> int:
    """Write the archive; how many bytes it has. `target` appears when it is complete.

    Raises BackupError.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; name another file")
    with scratch_folder(folder.run, BACKUP_PREFIX) as scratch:
        try:
            names = _snapshot(folder, scratch)
        except (OSError, sqlite3.Error) as error:
            raise BackupError(f"the data folder {folder.root} cannot be copied: {error}") from error
        partial = target.with_name(f"{target.name}.partial")
        if partial.exists():
            raise BackupError(f"{partial} is there already: another backup is writing it, or remove it")
        try:
            goes_along(scratch, partial)
            partial.touch(mode=0o600, exist_ok=False)
            with partial.open("wb") as file:
                packer = zstandard.ZstdCompressor(level=3, threads=-1)
                with (
                    packer.stream_writer(file, closefd=False) as packed,
                    tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
                ):
                    _add_all(tar, folder, scratch, names)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
        except OSError as error:
            raise BackupError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            partial.unlink(missing_ok=True)
    return target.stat().st_size


def remove_backup_leftovers(folder: DataFolder) -> int:
    """Of backups that were killed; the next backup does it, too. How many there were."""
    return remove_dead(folder.run, BACKUP_PREFIX)


def _snapshot(folder: DataFolder, scratch: Path) -> list[str]:
    """A copy of the database, and hard links to all its blobs, which nobody can remove any more."""
    missing = ""
    for _ in range(_TRIES):
        shutil.rmtree(scratch / "blobs", ignore_errors=True)
        _copy_database(folder.database, scratch / "preamp.db")
        (scratch / "blobs").mkdir()
        blobs = LocalBlobs(folder.blobs)
        try:
            with closing(open_sqlite(scratch / "preamp.db", read_only=True)) as copy:
                names = sorted(referenced(copy, blobs))
            for name in names:
                blobs.link(name, scratch / "blobs" / name)
        except (FileNotFoundError, ManifestError) as error:
            # Removed between the copy and the link; a newer copy does not refer to it.
            missing = str(error)
            continue
        return names
    raise BackupError(f"the data folder {folder.root} lacks a file that it refers to: {missing}")


def _copy_database(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there)
        # Wherever it is restored, these processes do not hold its jobs.
        there.execute("DELETE FROM workers")
        there.commit()
        there.execute("PRAGMA journal_mode=DELETE")


def _add_all(tar: tarfile.TarFile, folder: DataFolder, scratch: Path, names: list[str]) -> None:
    tar.addfile(tarfile.TarInfo(FORMAT))
    _add(tar, scratch / "preamp.db", "preamp.db", mode=0o600)
    for single in (folder.master_key, folder.root / "preamp.toml"):
        if single.exists():
            _add(tar, single, single.name, mode=0o600)
    for name in names:
        _add(tar, scratch / "blobs" / name, f"blobs/{name[:2]}/{name}", mode=0o444)
    for tree in (folder.logs, folder.access):
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                _add(tar, path, str(path.relative_to(folder.root)), mode=0o600)


def _add(tar: tarfile.TarFile, path: Path, name: str, *, mode: int) -> None:
    """As long as it is now: logs grow."""
    try:
        file = path.open("rb")
    except FileNotFoundError:  # a log that was deleted since; rows and blobs are held
        return
    with file:
        info = tarfile.TarInfo(name)
        found = os.fstat(file.fileno())
        info.size, info.mtime, info.mode = found.st_size, int(found.st_mtime), mode
        tar.addfile(info, _Exactly(file, found.st_size))


class _Exactly(io.RawIOBase):
    """So many bytes of a file, with zeros for what was cut off while it was read."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        data += b"\0" * (wanted - len(data))
        self._left -= wanted
        return data


def restore_backup(archive: Path, folder: DataFolder) -> None:
    """Fill a data folder that is new or empty; it appears when everything is in it and every blob has been
    checked. Raises BackupError."""
    root = folder.root.absolute()
    if root.exists() and any(root.iterdir()):
        raise BackupError(f"the data folder {root} is not empty; name a new one with --data")
    root.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(root.parent, f".{root.name}-restoring-") as scratch:
        _unpack(archive, scratch)
        DataFolder(scratch).make()
        os.sync()
        if root.exists():
            root.rmdir()
        scratch.rename(root)


def _unpack(archive: Path, scratch: Path) -> None:
    try:
        with (
            archive.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            first = tar.next()
            if first is None or first.name != FORMAT:
                raise BackupError(f"{archive} is no backup of Preamp, or one of a newer version")
            for member in tar:
                if not member.isfile():
                    raise BackupError(f"{archive} holds {member.name}, which is no file")
                tar.extract(member, scratch, filter="data")
                if member.name.startswith("blobs/"):
                    _check(scratch / member.name)
                    (scratch / member.name).chmod(0o444)
    except OSError as error:
        raise BackupError(f"{archive} cannot be restored: {error.strerror or error}") from error
    except (zstandard.ZstdError, tarfile.TarError, EOFError) as error:
        raise BackupError(f"{archive} is damaged: {error}") from error
    if not (scratch / "preamp.db").exists():
        raise BackupError(f"{archive} is damaged: it ends before the database")


def _check(blob: Path) -> None:
    with blob.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != blob.name:
            raise BackupError(
                f"the backup is damaged: the bytes of {blob.name} are not those that were saved"
            )
