"""Blobs on their way to an object store that refuses, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from preamp.model.errors import DependentServiceFailure
from preamp.store.blobs import s3
from preamp.store.blobs.cache import BlobCache
from preamp.store.blobs.copies import copies_of, first_key
from preamp.store.blobs.s3 import S3Blobs


class Service:
    """Takes blobs, unless it is away."""

    def __init__(self) -> None:
        self.store: Any = MemoryStore()
        self.away = False
        self.refused = b""

    def put(self, _store: object, key: str, file: Path) -> None:
        if self.away or file.read_bytes() == self.refused:
            raise DependentServiceFailure("away")
        self.store.put(key, file)

    def has(self, name: str) -> bool:
        return copies_of(self.store, name) != []


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr(s3, "put", service.put)
    return service


@pytest.fixture
def blobs(service: Service, tmp_path: Path) -> Iterator[S3Blobs]:
    blobs = S3Blobs(service.store, BlobCache(tmp_path, max_bytes=10))
    yield blobs
    blobs.close()


def test_everybody_who_relies_on_a_blob_is_told_that_it_was_not_sent(
    blobs: S3Blobs, service: Service
) -> None:
    """Two jobs of a worker: who asks first may be the one that did not put it."""
    service.away = True
    name = blobs.put_bytes(b"of the second job").name
    for _job in range(2):
        with pytest.raises(DependentServiceFailure):
            blobs.sync()
    assert not service.has(name)
    service.away = False
    blobs.sync()
    assert service.has(name)
    assert blobs.read(name) == b"of the second job"


def test_what_could_not_be_sent_is_sent_when_it_is_put_again(blobs: S3Blobs, service: Service) -> None:
    service.away = True
    name = blobs.put_bytes(b"again").name
    with pytest.raises(DependentServiceFailure):
        blobs.sync()
    assert not blobs.exists(name)
    service.away = False
    assert blobs.put_bytes(b"again").name == name
    blobs.sync()
    assert service.has(name)


def test_a_blob_that_was_collected_since_an_abandoned_job_put_it_is_sent_again(
    blobs: S3Blobs, service: Service
) -> None:
    name = blobs.put_bytes(b"collected").name
    blobs._sending[name].result()  # and then the job is stopped: it never asks
    service.store.delete(first_key(name))
    assert not blobs.exists(name)
    blobs.put_bytes(b"collected")
    blobs.sync()
    assert service.has(name)


def test_a_blob_that_is_gone_from_here_too_is_not_asked_for_for_ever(
    blobs: S3Blobs, service: Service
) -> None:
    service.away = True
    name = blobs.put_bytes(b"gone").name
    with pytest.raises(DependentServiceFailure):
        blobs.sync()
    blobs.delete(name)
    with pytest.raises(FileNotFoundError):
        blobs.sync()
    blobs.sync()


def test_an_upload_does_not_fail_with_another_one(blobs: S3Blobs, service: Service) -> None:
    service.away = True
    with blobs.incoming() as writer:
        writer.write(b"first")
        with pytest.raises(DependentServiceFailure):
            writer.finish(durable=True)
    blobs.put_bytes(b"of a job")
    service.away = False
    service.refused = b"first"
    with blobs.incoming() as writer:
        writer.write(b"second")
        assert service.has(writer.finish(durable=True).name)


def test_copies_stay_until_they_are_sent_and_not_longer(blobs: S3Blobs, tmp_path: Path) -> None:
    def here() -> list[int]:
        return sorted(path.stat().st_size for path in tmp_path.glob("??/*"))

    first = blobs.put_bytes(b"1" * 20)
    blobs.put_bytes(b"2" * 21)
    assert here() == [20, 21]
    blobs.sync()
    blobs.put_bytes(b"3" * 22)
    assert here() == [22]
    assert blobs.read(first.name) == b"1" * 20


def test_a_blob_that_did_not_fit_is_not_held(
    blobs: S3Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(OSError, match="full"):
            blobs.put_bytes(b"1" * 20)
    for data in (b"1" * 20, b"2" * 21):
        blobs.put_bytes(data)
        blobs.sync()
    assert [path.stat().st_size for path in tmp_path.glob("??/*")] == [21]


def full(_path: Path, _target: Path) -> None:
    raise OSError("the disk is full")
