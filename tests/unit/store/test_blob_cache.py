"""Copies of blobs on this machine."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.store.blobs.cache import BlobCache, DamagedBlobError

A, B, C = (bytes([letter]) * 100 for letter in b"abc")


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Source:
    """What copies are fetched from."""

    def __init__(self, *blobs: bytes) -> None:
        self.blobs = {name_of(data): data for data in blobs}
        self.fetched: list[str] = []

    def __call__(self, name: str) -> Iterator[bytes]:
        self.fetched.append(name)
        if name not in self.blobs:
            raise FileNotFoundError(name)
        yield self.blobs[name][:50]
        yield self.blobs[name][50:]


def read(cache: BlobCache, data: bytes, source: Source) -> bytes:
    descriptor = cache.open(name_of(data), source)
    try:
        return os.read(descriptor, 1000)
    finally:
        os.close(descriptor)


def test_a_blob_is_fetched_once(tmp_path: Path) -> None:
    cache, source = BlobCache(tmp_path, max_bytes=1000), Source(A)
    assert read(cache, A, source) == read(cache, A, source) == A
    assert source.fetched == [name_of(A)]


def test_readers_of_one_blob_wait_for_one_fetch(tmp_path: Path) -> None:
    cache, source = BlobCache(tmp_path, max_bytes=1000), Source(A)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(read(cache, A, source))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [A] * 8
    assert source.fetched == [name_of(A)]


def test_what_was_used_least_recently_goes_first_and_held_copies_stay(tmp_path: Path) -> None:
    cache, source = BlobCache(tmp_path, max_bytes=250), Source(A, B, C)
    for age, data in ((300, A), (200, B)):
        read(cache, data, source)
        used = cache.path(name_of(data)).stat().st_mtime - age
        os.utime(cache.path(name_of(data)), (used, used))
    read(cache, C, source)
    cache.shrink()
    assert [cache.path(name_of(data)).exists() for data in (A, B, C)] == [False, True, True]
    cache.hold(name_of(B))
    read(cache, A, source)
    cache.shrink()
    assert cache.path(name_of(B)).exists()
    cache.release(name_of(B))


def test_a_blob_that_is_larger_than_the_bound_is_fetched_and_read(tmp_path: Path) -> None:
    fetched = 0

    def source(_name: str) -> Iterator[bytes]:
        nonlocal fetched
        fetched += 1
        assert fetched == 1, "it is fetched again and again"
        yield A

    cache = BlobCache(tmp_path, max_bytes=10)
    descriptor = cache.open(name_of(A), source)
    assert os.read(descriptor, 1000) == A
    os.close(descriptor)
    cache.shrink()
    assert not cache.path(name_of(A)).exists()


def test_using_a_copy_keeps_it(tmp_path: Path) -> None:
    cache, source = BlobCache(tmp_path, max_bytes=250), Source(A, B, C)
    for data in (A, B):
        read(cache, data, source)
        os.utime(cache.path(name_of(data)), (1000, 1000))
    read(cache, A, source)
    read(cache, C, source)
    cache.shrink()
    assert [cache.path(name_of(data)).exists() for data in (A, B, C)] == [True, False, True]


def test_a_copy_that_is_dropped_while_it_is_read_stays_readable(tmp_path: Path) -> None:
    cache, source = BlobCache(tmp_path, max_bytes=1000), Source(A)
    descriptor = cache.open(name_of(A), source)
    cache.delete(name_of(A))
    assert os.read(descriptor, 1000) == A
    os.close(descriptor)


def test_damaged_bytes_are_never_kept(tmp_path: Path) -> None:
    cache, source = BlobCache(tmp_path, max_bytes=1000), Source()
    source.blobs[name_of(A)] = B
    with pytest.raises(DamagedBlobError, match=name_of(A)):
        read(cache, A, source)
    assert not cache.path(name_of(A)).exists()
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_missing_blob_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path, max_bytes=1000)
    with pytest.raises(FileNotFoundError):
        read(cache, A, Source())
    assert list((tmp_path / "incoming").iterdir()) == []
