"""Blobs in an S3-compatible service, laid out as `copies` says, and a cache of them on this machine.

What is put goes into the cache first, where it is hashed, and from there to the service in the background,
several at a time; `sync` waits for it. What is read comes from the cache, and into it when it is not there,
so that everything that works with files works with these.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import obstore

from preamp.store.blobs.base import Blob, StoredBlob
from preamp.store.blobs.cache import BlobCache, CacheWriter
from preamp.store.blobs.copies import (
    Copy,
    Fate,
    all_copies,
    carry_out,
    copies_of,
    decide,
    first_key,
    new_key,
)
from preamp.store.objects import ObjectStore, put, wrapped

if TYPE_CHECKING:
    from obstore import GetResult

AT_ONCE = 16


class S3Blobs:
    """`store` is rooted at the prefix of this Preamp; `cache` is this machine's."""

    def __init__(self, store: ObjectStore, cache: BlobCache) -> None:
        self._store = store
        self._cache = cache
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="blobs")
        self._lock = threading.Lock()
        self._sending: dict[str, Future[None]] = {}

    @property
    def folder(self) -> Path:
        return self._cache.folder

    def put_bytes(self, data: bytes) -> Blob:
        blob = Blob(name=hashlib.sha256(data).hexdigest(), size=len(data))
        with self.incoming() as writer:
            writer.write(data)
            writer.finish()
        return blob

    def put_file(self, source: Path) -> Blob:
        with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return self.put_stream(iter(lambda: file.read(1 << 20), b""))

    def put_stream(self, chunks: Iterator[bytes]) -> Blob:
        with self.incoming() as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.finish()

    @contextlib.contextmanager
    def incoming(self) -> Iterator[_S3Writer]:
        with self._cache.incoming() as writer:
            yield _S3Writer(self, writer)

    def keep(self, writer: CacheWriter) -> Blob:
        """Cache what came in and begin to send it; it stays in the cache until `sync` has seen it sent."""
        name = writer.name
        self._cache.hold(name)
        try:
            blob = writer.finish()
        except BaseException:
            self._cache.release(name)
            raise
        with self._lock:
            sent = self._sending.get(name)
            if sent is not None:
                self._cache.release(name)
            if sent is None or sent.done():  # which may be long ago, so that a collector came by
                self._begin(name)
        return blob

    def _begin(self, name: str) -> Future[None]:
        self._sending[name] = self._threads.submit(self._send, name)
        return self._sending[name]

    def _send(self, name: str) -> None:
        file = self._cache.path(name)
        size = file.stat().st_size
        copies = copies_of(self._store, name)
        if not any(copy.condemned_ms is None and copy.size == size for copy in copies):
            put(self._store, new_key(name, copies), file)

    def sync(self) -> None:
        """Raises DependentServiceFailure when something could not be sent. Every `sync` says so, and begins
        to send it again, until it is sent: who relies on it need not be the first who asks.
        """
        with self._lock:
            names = list(self._sending)
        self.settle(names)

    def settle(self, names: Iterable[str]) -> None:
        """As `sync`, for some blobs."""
        with self._lock:
            waiting = {name: self._sending[name] for name in names if name in self._sending}
            for name, sent in waiting.items():
                if sent.done() and sent.exception() is not None:
                    waiting[name] = self._begin(name)
        failed: list[BaseException] = []
        for name, sent in waiting.items():
            error = sent.exception()
            if error is not None:
                failed.append(error)
            if error is None or isinstance(error, FileNotFoundError):  # or it was deleted
                with self._lock:
                    if self._sending.get(name) is sent:
                        del self._sending[name]
                        self._cache.release(name)
        if failed:
            raise failed[0]

    def exists(self, name: str) -> bool:
        with self._lock:
            sent = self._sending.get(name)
        if sent is not None and not sent.done():
            return True
        # Who finds it here relies on it, just as by putting it: a condemned copy does not count.
        return any(copy.condemned_ms is None for copy in copies_of(self._store, name))

    def open(self, name: str) -> BinaryIO:
        return os.fdopen(self.descriptor(name), "rb")

    def descriptor(self, name: str) -> int:
        return self._cache.open(name, self._fetch)

    def _fetch(self, name: str) -> Iterator[bytes]:
        with wrapped(f"blob {name}"):
            yield from map(bytes, self._get(name).stream(min_chunk_size=1 << 20))

    def _get(self, name: str) -> GetResult:
        try:
            return obstore.get(self._store, first_key(name))
        except FileNotFoundError:
            for copy in copies_of(self._store, name):
                with contextlib.suppress(FileNotFoundError):  # removed since, or only its mark is left
                    return obstore.get(self._store, copy.key)
            raise

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def link(self, name: str, target: Path) -> None:
        self._cache.link(name, target, self._fetch)

    def sizes(self, names: Iterable[str]) -> Mapping[str, int]:
        wanted = list(dict.fromkeys(names))
        found = zip(wanted, self._threads.map(self._size, wanted), strict=True)
        return {name: size for name, size in found if size is not None}

    def _size(self, name: str) -> int | None:
        with wrapped(f"blob {name}"):
            try:
                return int(obstore.head(self._store, first_key(name))["size"])
            except FileNotFoundError:
                return next(
                    (copy.size for copy in copies_of(self._store, name) if copy.size is not None), None
                )

    def delete(self, name: str) -> None:
        keys = [copy.key for copy in copies_of(self._store, name) if copy.size is not None]
        if keys:
            with wrapped(f"blob {name}"):
                obstore.delete(self._store, keys)
        self._cache.delete(name)

    def list(self) -> Iterator[StoredBlob]:
        for name, copies in all_copies(self._store).items():
            present = [copy for copy in copies if copy.size is not None]
            if present:
                newest = max(present, key=lambda copy: copy.modified_ms)
                yield StoredBlob(name=name, size=newest.size or 0, modified_ms=newest.modified_ms)

    def look(self) -> Mapping[str, Sequence[Copy]]:
        """Everything that is stored, by blob. A collector looks first and asks then what is referred to."""
        return all_copies(self._store)

    def collect(
        self,
        seen: Mapping[str, Sequence[Copy]],
        referenced: Container[str],
        *,
        now: int,
        grace_ms: int,
        dry_run: bool = False,
    ) -> tuple[StoredBlob, ...]:
        """Condemn what nothing refers to, and remove what was condemned a grace time ago, given by `now` in
        milliseconds. Returns the copies that went, or would.

        `seen` comes from `look`, and what is `referenced` was read after that. Others may put at any time.
        """
        decided = [
            item
            for name, copies in seen.items()
            for item in decide(copies, referenced=name in referenced, now=now, grace_ms=grace_ms)
        ]
        if not dry_run:
            for _ in self._threads.map(lambda item: carry_out(self._store, *item), decided):
                pass
        return tuple(
            StoredBlob(name=copy.blob, size=copy.size or 0, modified_ms=copy.modified_ms)
            for copy, fate in decided
            if fate is Fate.REMOVE
        )

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


class _S3Writer:
    """Bytes that arrive in the cache and go on from there."""

    def __init__(self, blobs: S3Blobs, writer: CacheWriter) -> None:
        self._blobs = blobs
        self._writer = writer

    @property
    def size(self) -> int:
        return self._writer.size

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def finish(self, *, durable: bool = False) -> Blob:
        blob = self._blobs.keep(self._writer)
        if durable:
            self._blobs.settle([blob.name])
        return blob
