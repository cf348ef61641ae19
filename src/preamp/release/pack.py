"""A bundle's server as one blob: a zstd-compressed tar of the whole bundle.

Some servers read `static/` or the manifest themselves, so everything is in it. Equal bundles give equal
archives, whenever and wherever they were built, so that they are stored and unpacked once.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

import zstandard

from preamp.model.compute import Compute
from preamp.model.deploy_manifest import COMPUTE_FOLDER, ComputeResource
from preamp.model.releases import Body
from preamp.release.errors import PublishError, too_large, too_many
from preamp.release.walk import checked_name, kind_of
from preamp.store.blobs import BlobStore, BlobWriter

LEVEL = 3
_OWNER_MAY_READ = 0o400


def pack(
    folder: Path,
    server: ComputeResource,
    *,
    blobs: BlobStore,
    max_bytes: int,
    max_server_bytes: int,
    max_files: int,
    tick: Callable[[], None],
) -> Compute:
    """Store the bundle; `tick` is called for each file and stops the work by raising. Blocking.

    Modes of files and relative symbolic links are kept. Raises PublishError for links that lead out, for
    anything that is neither a file nor a folder, and for too much of it.
    """
    root = folder.resolve(strict=True)
    limits = _Limits(max_bytes=max_bytes, max_server_bytes=max_server_bytes, max_files=max_files)
    with blobs.incoming() as writer:
        with (
            zstandard.ZstdCompressor(level=LEVEL).stream_writer(cast("IO[bytes]", _Sink(writer))) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path, info in _members(root):
                tick()
                limits.add(path, info)
                _add(tar, root, path, info)
        blob = writer.finish()
    return Compute(
        archive=Body(blob=blob.name, size=blob.size),
        name=server.name,
        entrypoint=server.entrypoint,
        runtime=server.runtime,
        total_bytes=limits.total_bytes,
        file_count=limits.files,
    )


class _Sink(io.RawIOBase):
    """The store's writer as a file that tar and zstd can write to."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self._writer.write(bytes(data))
        return len(data)


class _Limits:
    def __init__(self, *, max_bytes: int, max_server_bytes: int, max_files: int) -> None:
        self._max_bytes = max_bytes
        self._max_server_bytes = max_server_bytes
        self._max_files = max_files
        self._server_bytes = 0
        self.total_bytes = 0
        self.files = 0

    def add(self, path: str, info: os.stat_result) -> None:
        if stat.S_ISDIR(info.st_mode):
            return
        self.files += 1
        if self.files > self._max_files:
            raise too_many(path, self._max_files)
        if not stat.S_ISREG(info.st_mode):
            return
        self.total_bytes += info.st_size
        if self.total_bytes > self._max_bytes:
            raise too_large(self.total_bytes, self._max_bytes)
        if path.startswith(f"{COMPUTE_FOLDER}/"):
            self._server_bytes += info.st_size
        if self._server_bytes > self._max_server_bytes:
            raise PublishError(
                # Amplify's words, which tools look for, and what can be done here.
                f"The size of the build output ({self._server_bytes}) exceeds the max allowed size of "
                f"{self._max_server_bytes} bytes for {COMPUTE_FOLDER}/ (the setting max_compute_bytes). "
                "Please leave out what the server does not need, such as devDependencies."
            )


def _members(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below the bundle in one order, folders before what is in them; links are not followed."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(root / prefix) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        folders = []
        for entry in entries:
            path = prefix + checked_name(prefix, entry.name)
            info = entry.stat(follow_symlinks=False)
            yield path, info
            if stat.S_ISDIR(info.st_mode):
                folders.append(path + "/")
        waiting += reversed(folders)


def _add(tar: tarfile.TarFile, root: Path, path: str, info: os.stat_result) -> None:
    member = tarfile.TarInfo(path)  # owner, group and times stay zero
    member.mode = stat.S_IMODE(info.st_mode) & 0o777 | _OWNER_MAY_READ
    if stat.S_ISDIR(info.st_mode):
        member.type = tarfile.DIRTYPE
        member.mode |= 0o700
        tar.addfile(member)
    elif stat.S_ISLNK(info.st_mode):
        member.type = tarfile.SYMTYPE
        member.mode = 0o777
        member.linkname = _checked_link(root, path)
        tar.addfile(member)
    elif stat.S_ISREG(info.st_mode):
        member.size = info.st_size
        with _opened(root / path) as file:
            try:
                tar.addfile(member, file)
            except OSError as error:
                if error.args == ("unexpected end of data",):
                    raise PublishError(f"{path} changed while it was published: run the job again") from error
                raise
    else:
        raise PublishError(
            f"{path} is {kind_of(info.st_mode)}, which cannot be published: remove it from the output"
        )


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _checked_link(root: Path, path: str) -> str:
    """Where a link leads, when it stays inside by its text and in truth; it may lead to nothing.

    By its text: it steps up only at its beginning, and not above the bundle. So it stays inside wherever the
    archive is unpacked.
    """
    link = root / path
    target = str(link.readlink())
    parts = PurePosixPath(target).parts
    ups = next((place for place, part in enumerate(parts) if part != ".."), len(parts))
    plain = not target.startswith("/") and ".." not in parts[ups:] and ups <= path.count("/")
    try:
        inside = plain and link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        raise PublishError(f"{path} is a symbolic link that leads in a circle: remove it") from None
    if not inside:
        raise PublishError(
            f"{path} is a symbolic link to {target}, outside of the published folder: copy the file instead"
        )
    return target
