"""Blobs in a local folder: `blobs/ab/abcdef...`, read-only files, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from preamp.store.blobs.base import Blob, StoredBlob
from preamp.store.blobs.hashed import HashedFile

_CHUNK = 1 << 20
_MANY = 200
_ASIDE = "aside-"


class LocalBlobs:
    """The content store of one data folder; safe to use from several processes.

    A blob appears under its name by a rename, so that a reader sees all of it or none. Durability is
    given by `sync()`, once for many blobs: call it before the row that refers to them is committed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._syncing = threading.Lock()
        self._unsynced: set[Path] = set()

    def path(self, name: str) -> Path:
        """Where the blob is, or would be. Do not write to it."""
        return self.folder / name[:2] / name

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def descriptor(self, name: str) -> int:
        return os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)

    def link(self, name: str, target: Path) -> None:
        target.hardlink_to(self.path(name))

    def sizes(self, names: Iterable[str]) -> Mapping[str, int]:
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found[name] = self.path(name).stat().st_size
        return found

    def list(self) -> Iterator[StoredBlob]:
        for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
            for path in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # deleted since
                    info = path.stat()
                    yield StoredBlob(
                        name=path.name, size=info.st_size, modified_ms=info.st_mtime_ns // 1_000_000
                    )

    def close(self) -> None:
        return

    def open(self, name: str) -> BinaryIO:
        """Raises FileNotFoundError when there is no such blob."""
        return self.path(name).open("rb")

    def read(self, name: str) -> bytes:
        """The whole blob; for manifests and small files. Raises FileNotFoundError."""
        return self.path(name).read_bytes()

    def put_bytes(self, data: bytes) -> Blob:
        blob = Blob(name=hashlib.sha256(data).hexdigest(), size=len(data))
        if not self._put_again(blob.name):
            with self.incoming() as writer:
                writer.write(data)
                writer.keep(blob.name)
        return blob

    def put_file(self, source: Path) -> Blob:
        """Copy a regular file's bytes in; symbolic links are refused with OSError."""
        with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            if not self._put_again(digest):
                file.seek(0)
                # Hashed again while copying: the name must fit the bytes even if the file changed.
                return self.put_stream(iter(lambda: file.read(_CHUNK), b""))
        return Blob(name=digest, size=size)

    def _put_again(self, name: str) -> bool:
        """Whether the blob is there; it counts as put now, so that no garbage collector takes it."""
        try:
            os.utime(self.path(name))
        except FileNotFoundError:
            return False
        return True

    def put_stream(self, chunks: Iterator[bytes]) -> Blob:
        with self.incoming() as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.finish()

    @contextlib.contextmanager
    def incoming(self) -> Iterator[LocalWriter]:
        """A temporary file that becomes a blob on `finish()` and vanishes otherwise."""
        writer = LocalWriter(self, self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}")
        try:
            yield writer
        finally:
            writer.discard()

    def delete(self, name: str) -> None:
        """Remove a blob; no error when it is gone already."""
        self.path(name).unlink(missing_ok=True)

    def delete_unchanged(self, blob: StoredBlob) -> bool:
        """Remove a blob unless it was put again after it was listed; False then, or when it is gone."""
        path = self.path(blob.name)
        aside = self._incoming / f"{_ASIDE}{blob.name}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        # Looked at when nobody can find it any more: a put from now on writes it anew.
        if aside.stat().st_mtime_ns // 1_000_000 != blob.modified_ms:
            aside.rename(path)
            return False
        aside.unlink()
        return True

    def remove_leftovers(self, *, before_ms: int) -> int:
        """Bytes on their way whose process died: files that nobody has written to since; how many."""
        removed = 0
        for path in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name.startswith(_ASIDE):
                    # A collector died half-way. Back with it: the next one decides again.
                    path.rename(self.path(path.name.removeprefix(_ASIDE)))
                elif path.stat().st_mtime_ns // 1_000_000 < before_ms:
                    path.unlink()
                    removed += 1
        return removed

    def sync(self) -> None:
        """Return when everything put so far by this object survives a power cut.

        Few files are synced one by one; for many, one sync of all file systems is cheaper.
        """
        with self._syncing:
            waiting, self._unsynced = self._unsynced, set()
            if len(waiting) > _MANY:
                os.sync()
                return
            for path in [*waiting, *{path.parent for path in waiting}]:
                with contextlib.suppress(FileNotFoundError):  # deleted since: nothing to keep
                    _fsync(path)

    def note(self, path: Path) -> None:
        """A blob that `sync` has to make durable."""
        self._unsynced.add(path)

    def free_bytes(self) -> int:
        """Space left for an ordinary user on the file system of the store."""
        return shutil.disk_usage(self.folder).free


class LocalWriter(HashedFile):
    """Bytes on their way into the store."""

    def __init__(self, blobs: LocalBlobs, path: Path) -> None:
        super().__init__(path)
        self._blobs = blobs

    def finish(self, *, durable: bool = False) -> Blob:
        """Put the bytes under their name; `durable`: they survive a power cut when this returns."""
        name = self.name
        if durable:
            self._file.flush()
            os.fsync(self._file.fileno())
        self.keep(name)
        if durable:
            _fsync(self._blobs.path(name).parent)
        return Blob(name=name, size=self.size)

    def keep(self, name: str) -> None:
        self.close()
        self._path.chmod(0o444)
        target = self._blobs.path(name)
        target.parent.mkdir(exist_ok=True)
        self._path.rename(target)
        self._blobs.note(target)

    def discard(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
