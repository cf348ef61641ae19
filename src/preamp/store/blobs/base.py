"""What a blob store is, wherever it keeps its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A stored blob."""

    name: str
    """SHA-256, lower-case hexadecimal."""
    size: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredBlob:
    """A blob as a listing shows it."""

    name: str
    size: int
    modified_ms: int
    """When it was put last, by the clock of whoever stores it."""


class BlobWriter(Protocol):
    """Bytes on their way into the store."""

    @property
    def size(self) -> int:
        """How many came so far."""

    def write(self, data: bytes) -> None:
        """Raises OSError (ENOSPC) when the disk is full."""

    def finish(self, *, durable: bool = False) -> Blob:
        """Put the bytes under their name; `durable`: they survive a power cut when this returns."""


class BlobStore(Protocol):
    """Bytes named by their SHA-256, written whole or not at all, never changed. Blocking; safe to use from
    several threads and processes.

    Where the store is on other machines, every method raises DependentServiceFailure while it is away.
    """

    @property
    def folder(self) -> Path:
        """On this machine, for things that can be made anew from blobs."""

    def put_bytes(self, data: bytes) -> Blob:
        """Durable after the next `sync`, as everything that is put."""

    def put_file(self, source: Path) -> Blob:
        """Copy a regular file's bytes in; symbolic links are refused with OSError."""

    def put_stream(self, chunks: Iterator[bytes]) -> Blob:
        """All chunks as one blob."""

    def incoming(self) -> AbstractContextManager[BlobWriter]:
        """Bytes that become a blob on `finish()` and vanish otherwise."""

    def sync(self) -> None:
        """Return when everything put so far by this object survives a power cut: call it before the row that
        refers to blobs is committed."""

    def exists(self, name: str) -> bool:
        """Whether there is such a blob; one that was put and not yet synced counts."""

    def open(self, name: str) -> BinaryIO:
        """Seekable. Raises FileNotFoundError when there is no such blob."""

    def descriptor(self, name: str) -> int:
        """A descriptor of a regular file with the blob's bytes, to be closed by the caller. Raises
        FileNotFoundError when there is no such blob."""

    def read(self, name: str) -> bytes:
        """The whole blob; for manifests and small files. Raises FileNotFoundError."""

    def link(self, name: str, target: Path) -> None:
        """Make `target` a file with the blob's bytes. It may share them with the store: do not write to it.
        Raises FileNotFoundError when there is no such blob."""

    def sizes(self, names: Iterable[str]) -> Mapping[str, int]:
        """Bytes of those blobs that are really there."""

    def delete(self, name: str) -> None:
        """Remove a blob; no error when it is gone already."""

    def list(self) -> Iterator[StoredBlob]:
        """Every blob, in no order."""

    def free_bytes(self) -> int:
        """Space left for what comes in, on the disk where it arrives first."""

    def close(self) -> None:
        """Nothing more is put or read."""
