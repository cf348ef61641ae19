from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from preamp.files.zips import archive_members, blob_members, zip_chunks
from preamp.model.deploy_manifest import ComputeResource
from preamp.release.pack import pack
from preamp.store.blobs import LocalBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def whole(members) -> bytes:
    return b"".join(zip_chunks(members, time_ms=1_700_000_000_000))


def test_blobs_become_files(blobs):
    names = {"b/x.txt": blobs.put_bytes(b"x" * 3_000_000).name, "a": blobs.put_bytes(b"").name}
    pieces = list(zip_chunks(blob_members(names, blobs), time_ms=1_700_000_000_000))
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as zipped:
        assert {name: len(zipped.read(name)) for name in zipped.namelist()} == {"a": 0, "b/x.txt": 3_000_000}
    assert b"".join(pieces) == whole(blob_members(names, blobs))


def test_much_comes_in_pieces(blobs):
    names = {f"{number}": blobs.put_bytes(os.urandom(1 << 20)).name for number in range(4)}
    pieces = list(zip_chunks(blob_members(names, blobs), time_ms=1_700_000_000_000))
    assert len(pieces) >= 4
    assert max(map(len, pieces)) < 2 << 20


def test_a_packed_server_becomes_what_it_was(blobs, tmp_path):
    folder = tmp_path / "bundle"
    (folder / "compute/default/node_modules/.bin").mkdir(parents=True)
    (folder / "compute/default/run.sh").write_text("#!/bin/sh\n")
    (folder / "compute/default/run.sh").chmod(0o755)
    (folder / "compute/default/node_modules/.bin/run").symlink_to("../../run.sh")
    (folder / "deploy-manifest.json").write_text("{}")
    server = ComputeResource(name="default", runtime="nodejs22.x", entrypoint="run.sh")
    compute = pack(
        folder,
        server,
        blobs=blobs,
        max_bytes=1000,
        max_server_bytes=1000,
        max_files=10,
        tick=lambda: None,
    )
    data = whole(archive_members(compute.archive.blob, blobs))
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        modes = {info.filename: info.external_attr >> 16 for info in zipped.infolist()}
        assert modes == {
            "compute/default/run.sh": stat.S_IFREG | 0o755,
            "compute/default/node_modules/.bin/run": stat.S_IFLNK | 0o777,
            "deploy-manifest.json": stat.S_IFREG | 0o644,
        }
        assert zipped.read("compute/default/node_modules/.bin/run") == b"../../run.sh"
