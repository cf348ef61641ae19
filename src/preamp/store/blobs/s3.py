"""Blobs in an S3-compatible service: `{prefix}/blobs/ab/abcdef...`, with copies on this machine.

What is put goes into the local copies first, where it is hashed, and from there to the service in the
background, several at a time; `sync` waits for it. What is read comes from the copies, and into them when it
is not there, so that everything that works with files works with these.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import obstore

from preamp.store.blobs.base import Blob, StoredBlob
from preamp.store.blobs.cache import BlobCache, CacheWriter
from preamp.store.objects import ObjectStore, put, wrapped

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
        """Make a copy of what came in and begin to send it; the copy is held until `sync`."""
        self._cache.hold(writer.name)
        blob = writer.finish()
        with self._lock:
            if blob.name in self._sending:
                self._cache.release(blob.name)
            else:
                self._sending[blob.name] = self._threads.submit(self._send, blob)
        return blob

    def _send(self, blob: Blob) -> None:
        key = _key(blob.name)
        with wrapped(f"blob {blob.name}"), contextlib.suppress(FileNotFoundError):
            if obstore.head(self._store, key)["size"] == blob.size:
                return
        put(self._store, key, self._cache.path(blob.name))

    def sync(self) -> None:
        """Raises DependentServiceFailure when something could not be sent; putting it again sends it."""
        with self._lock:
            waiting = dict(self._sending)
        failed: list[BaseException] = []
        for name, future in waiting.items():
            error = future.exception()
            if error is not None:
                failed.append(error)
            with self._lock:
                if self._sending.get(name) is future:
                    del self._sending[name]
                    self._cache.release(name)
        if failed:
            raise failed[0]

    def exists(self, name: str) -> bool:
        with self._lock:
            if name in self._sending:
                return True
        return name in self.sizes([name])

    def open(self, name: str) -> BinaryIO:
        return os.fdopen(self.descriptor(name), "rb")

    def descriptor(self, name: str) -> int:
        return self._cache.open(name, self._fetch)

    def _fetch(self, name: str) -> Iterator[bytes]:
        with wrapped(f"blob {name}"):
            yield from map(bytes, obstore.get(self._store, _key(name)).stream(min_chunk_size=1 << 20))

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
                return int(obstore.head(self._store, _key(name))["size"])
            except FileNotFoundError:
                return None

    def delete(self, name: str) -> None:
        with wrapped(f"blob {name}"), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, _key(name))
        self._cache.delete(name)

    def list(self) -> Iterator[StoredBlob]:
        with wrapped("the list of blobs"):
            for batch in obstore.list(self._store, "blobs"):
                for item in batch:
                    yield StoredBlob(
                        name=item["path"].rpartition("/")[2],
                        size=item["size"],
                        modified_ms=int(item["last_modified"].timestamp() * 1000),
                    )

    def free_bytes(self) -> int:
        return self._cache.free_bytes()

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
            self._blobs.sync()
        return blob


def _key(name: str) -> str:
    return f"blobs/{name[:2]}/{name}"
