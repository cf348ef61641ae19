"""What every blob store must do."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from preamp.store.blobs import Blob, BlobStore
from preamp.store.stores import Stores


@pytest.fixture
def blobs(stores: Stores) -> BlobStore:
    return stores.blobs


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_was_put_and_synced_is_read_by_other_processes(blobs: BlobStore, elsewhere: Stores) -> None:
    data = os.urandom(3000)
    blob = blobs.put_bytes(data)
    blobs.sync()
    assert blob == Blob(name=name_of(data), size=3000)
    assert elsewhere.blobs.read(blob.name) == data
    with elsewhere.blobs.open(blob.name) as file:
        file.seek(2990)
        assert file.read() == data[2990:]
    assert blobs.exists(blob.name)
    assert blobs.sizes([blob.name, name_of(b"no"), blob.name]) == {blob.name: 3000}


def test_a_blob_in_many_parts_comes_back_whole(blobs: BlobStore, elsewhere: Stores) -> None:
    data = os.urandom(1 << 20) * 20 + b"end"
    with blobs.incoming() as writer:
        for start in range(0, len(data), 1 << 18):
            writer.write(data[start : start + (1 << 18)])
        blob = writer.finish(durable=True)
    assert blob.size == len(data)
    assert name_of(elsewhere.blobs.read(blob.name)) == blob.name


def test_files_are_copied_and_links_refused(blobs: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"text")
    assert blobs.put_file(source).name == name_of(b"text")
    link = tmp_path / "link"
    link.symlink_to(source)
    with pytest.raises(OSError, match="symbolic links"):
        blobs.put_file(link)


def test_the_same_bytes_are_one_blob(blobs: BlobStore) -> None:
    assert blobs.put_bytes(b"one") == blobs.put_stream(iter([b"o", b"ne"]))
    blobs.sync()
    assert [item.name for item in blobs.list()] == [name_of(b"one")]


def test_what_is_not_finished_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    with blobs.incoming() as writer:
        writer.write(b"half")
    assert list(blobs.list()) == []
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


def test_a_missing_blob_is_a_missing_file(blobs: BlobStore, tmp_path: Path) -> None:
    missing = name_of(b"missing")
    assert not blobs.exists(missing)
    for read in (blobs.read, blobs.open, blobs.descriptor):
        with pytest.raises(FileNotFoundError):
            read(missing)
    with pytest.raises(FileNotFoundError):
        blobs.link(missing, tmp_path / "target")
    blobs.delete(missing)


def test_a_deleted_blob_is_gone_and_can_be_put_again(blobs: BlobStore) -> None:
    blob = blobs.put_bytes(b"again")
    blobs.sync()
    blobs.delete(blob.name)
    assert not blobs.exists(blob.name)
    assert blobs.put_bytes(b"again") == blob
    blobs.sync()
    assert blobs.sizes([blob.name]) == {blob.name: 5}


def test_a_link_is_a_file_with_the_bytes(blobs: BlobStore, elsewhere: Stores, tmp_path: Path) -> None:
    blob = blobs.put_bytes(b"linked")
    blobs.sync()
    target = tmp_path / "target"
    elsewhere.blobs.link(blob.name, target)
    assert target.read_bytes() == b"linked"
