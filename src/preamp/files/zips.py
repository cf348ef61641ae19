"""A zip that is made while it is sent: nothing is stored, and no more than a piece is in memory."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import zstandard

from preamp.store.blobs import BlobStore

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A file or a symbolic link; its content is read before the next member is asked for."""

    path: str
    mode: int
    """As in `st_mode`."""
    size: int
    """Bytes."""
    content: IO[bytes]
    """Of a link: where it leads."""


def blob_members(files: Mapping[str, str], blobs: BlobStore) -> Iterator[Member]:
    """Of path -> blob, in the order of paths."""
    for path, blob in sorted(files.items()):
        with blobs.open(blob) as content:
            size = os.fstat(content.fileno()).st_size
            yield Member(path=path, mode=stat.S_IFREG | 0o644, size=size, content=content)


def archive_members(archive: str, blobs: BlobStore) -> Iterator[Member]:
    """Of a blob that is a packed server, as `release.pack` has made it."""
    with (
        blobs.open(archive) as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        for item in tar:
            if item.issym():
                yield text_member(item.name, item.linkname, mode=stat.S_IFLNK | 0o777)
            elif (opened := tar.extractfile(item)) is not None:
                mode = stat.S_IFREG | item.mode
                yield Member(path=item.name, mode=mode, size=item.size, content=opened)


def text_member(path: str, text: str, *, mode: int = stat.S_IFREG | 0o644) -> Member:
    data = text.encode()
    return Member(path=path, mode=mode, size=len(data), content=io.BytesIO(data))


def zip_chunks(members: Iterable[Member], *, time_ms: int) -> Iterator[bytes]:
    """In pieces of about a megabyte. Equal members of one time give equal bytes."""
    out = _Outbox()
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for member in members:
            info = zipfile.ZipInfo(member.path, date_time=moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = member.mode << 16
            info.file_size = member.size  # decides whether sizes need 64 bits
            with zipped.open(info, "w") as target:
                while data := member.content.read(_CHUNK):
                    target.write(data)
                    if len(out.pending) >= _CHUNK:
                        yield out.take()
    yield out.take()


class _Outbox(io.RawIOBase):
    """Where the zip writer writes: it cannot seek, so the zip is made in one pass."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self.pending += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self.pending)
        self.pending.clear()
        return data
