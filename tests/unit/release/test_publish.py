from __future__ import annotations

import gzip
import os
import random
import socket
from pathlib import Path

import brotli
import pytest

from preamp.model.custom_headers import from_normalised
from preamp.model.releases import Encoding, Manifest
from preamp.release import twins
from preamp.release.errors import PublishError, VerifyError
from preamp.release.publish import Limits, Published, publish
from preamp.release.verify import verify
from preamp.store.blobs import LocalBlobs
from preamp.store.manifests import ManifestError, read_manifest, write_manifest

LIMITS = Limits(max_bytes=10_000_000, max_files=100)
TEXT = b"<p>" + b"words that repeat " * 200


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def put(folder: Path, path: str, data: bytes = b"x") -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def run(out: Path, blobs: LocalBlobs, **more) -> Published:
    return publish(out, blobs=blobs, limits=more.pop("limits", LIMITS), **more)


def test_every_file_is_stored_with_type_and_twins(out, blobs):
    put(out, "index.html", TEXT)
    put(out, "a/b/photo.jpg", b"\xff\xd8" * 4000)
    put(out, "small.css", b"a{}")
    done = run(out, blobs)
    assert list(done.manifest.files) == ["a/b/photo.jpg", "index.html", "small.css"]
    page = done.manifest.files["index.html"]
    assert page.content_type == "text/html; charset=utf-8"
    assert blobs.read(page.body.blob) == TEXT
    assert brotli.decompress(blobs.read(page.encodings[Encoding.BROTLI].blob)) == TEXT
    assert gzip.decompress(blobs.read(page.encodings[Encoding.GZIP].blob)) == TEXT
    assert page.encodings[Encoding.GZIP].size < page.body.size
    assert done.manifest.files["a/b/photo.jpg"].encodings == {}
    assert done.manifest.files["small.css"].encodings == {}
    assert (done.file_count, done.total_bytes) == (3, len(TEXT) + 8000 + 3)
    assert (done.twin_count, done.twin_bytes) == (2, sum(t.size for t in page.encodings.values()))
    assert read_manifest(blobs, done.manifest_body) == done.manifest


def test_a_twin_that_is_not_smaller_is_not_kept(out, blobs):
    put(out, "noise.json", random.Random(1).randbytes(5000))
    assert run(out, blobs).manifest.files["noise.json"].encodings == {}


def test_publishing_again_compresses_nothing_and_gives_the_same_manifest(out, blobs, monkeypatch):
    put(out, "index.html", TEXT)
    first = run(out, blobs)

    def never(*_args, **_more):
        raise AssertionError("compressed again")

    monkeypatch.setattr(twins.brotli, "compress", never)
    monkeypatch.setattr(twins.gzip, "compress", never)
    assert run(out, blobs).manifest_body == first.manifest_body


def test_a_lost_or_damaged_twin_is_made_again(out, blobs):
    put(out, "index.html", TEXT)
    first = run(out, blobs).manifest.files["index.html"]
    blobs.delete(first.encodings[Encoding.BROTLI].blob)
    assert run(out, blobs).manifest.files["index.html"] == first
    assert blobs.exists(first.encodings[Encoding.BROTLI].blob)
    note = blobs.folder / "twins" / twins.RECIPE / first.body.blob[:2] / first.body.blob
    note.write_text("{")
    assert run(out, blobs).manifest.files["index.html"] == first


def test_every_file_is_told_of_and_may_stop_the_work(out, blobs):
    for name in "abc":
        put(out, name, b"12345")
    calls = []
    run(out, blobs, tick=lambda: calls.append(1))
    assert len(calls) == 3

    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        run(out, blobs, tick=stop)


def test_links_inside_are_followed(out, blobs):
    put(out, "real/page.html", b"page")
    (out / "link.html").symlink_to("real/page.html")
    (out / "folder").symlink_to("real", target_is_directory=True)
    files = run(out, blobs).manifest.files
    assert sorted(files) == ["folder/page.html", "link.html", "real/page.html"]
    assert files["link.html"] == files["real/page.html"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc/passwd", "outside of the published folder"),
        ("../secret", "outside of the published folder"),
        ("nowhere", "does not exist"),
        ("bad", "does not exist"),  # itself
        (".", "a folder that contains it"),
    ],
)
def test_links_that_leave_or_lead_nowhere_are_refused(out, blobs, target, words):
    put(out.parent, "secret", b"secret")
    put(out, "index.html")
    (out / "bad").symlink_to(target)
    with pytest.raises(PublishError, match=f"^bad is a symbolic link to .*{words}"):
        run(out, blobs)


def test_a_folder_link_cannot_leave_in_two_steps(out, blobs):
    put(out, "sub/index.html")
    (out / "sub" / "up").symlink_to("../..")
    with pytest.raises(PublishError, match=r"^sub/up is a symbolic link"):
        run(out, blobs)


def test_pipes_and_sockets_are_refused(out, blobs):
    os.mkfifo(out / "pipe")
    with pytest.raises(PublishError, match=r"^pipe is a named pipe"):
        run(out, blobs)
    (out / "pipe").unlink()
    here = Path.cwd()
    os.chdir(out)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("sock")
            with pytest.raises(PublishError, match=r"^sock is a socket"):
                run(out, blobs)
    finally:
        os.chdir(here)


def test_names_have_to_be_utf8(out, blobs):
    (Path(os.fsdecode(bytes(out) + b"/caf\xe9.html"))).write_bytes(b"x")
    with pytest.raises(PublishError, match="is not UTF-8"):
        run(out, blobs)


def test_limits_name_what_is_too_much(out, blobs):
    put(out, "a.bin", b"x" * 600)
    put(out, "b.bin", b"x" * 600)
    with pytest.raises(
        PublishError, match=r"build output \(1200\) exceeds the max allowed size of 1000 bytes"
    ):
        run(out, blobs, limits=Limits(max_bytes=1000, max_files=10))
    with pytest.raises(PublishError, match=r"more than 1 files .* b\.bin is one too many"):
        run(out, blobs, limits=Limits(max_bytes=10_000, max_files=1))


def test_an_empty_or_missing_folder_is_refused(out, blobs):
    with pytest.raises(PublishError, match="out, holds no files"):
        run(out, blobs)
    with pytest.raises(PublishError, match="nothere, does not exist"):
        run(out / "nothere", blobs)


def test_custom_headers_are_frozen_or_refused_with_their_place(out, blobs):
    put(out, "index.html")
    yaml = "customHeaders:\n  - pattern: '*.html'\n    headers:\n      - key: X-A\n        value: b\n"
    (rule,) = from_normalised(run(out, blobs, custom_headers=yaml).manifest.custom_headers)
    assert (rule.pattern, rule.headers) == ("*.html", (("X-A", "b"),))
    with pytest.raises(PublishError, match="custom headers cannot be used: line 2, column 5"):
        run(out, blobs, custom_headers="customHeaders:\n  - x: 1\n")


def test_without_a_bundle_a_deploy_manifest_is_a_file_like_others(out, blobs):
    put(out, "deploy-manifest.json", b'{"version": 1}')
    done = run(out, blobs)
    assert done.manifest.deploy_manifest is None
    assert list(done.manifest.files) == ["deploy-manifest.json"]


def test_verify_finds_missing_and_cut_blobs(out, blobs):
    put(out, "index.html", TEXT)
    manifest = run(out, blobs).manifest
    assert verify(blobs, manifest) == []
    twin = manifest.files["index.html"].encodings[Encoding.BROTLI]
    path = blobs.path(twin.blob)
    path.chmod(0o600)
    path.write_bytes(b"cut")
    with pytest.raises(VerifyError, match=r"index.html \(br\) has 3 bytes"):
        verify(blobs, manifest)
    blobs.delete(twin.blob)
    with pytest.raises(VerifyError, match=r"index.html \(br\) is missing"):
        verify(blobs, manifest)


def test_verify_warns_about_a_missing_root_document(out, blobs):
    put(out, "dist/index.html")
    (warning,) = verify(blobs, run(out, blobs).manifest)
    assert "no index.html at the root" in warning
    assert "dist/index.html" in warning


def test_unreadable_manifests_say_why(blobs):
    newer = write_manifest(blobs, Manifest(version=99))
    with pytest.raises(ManifestError, match=r"version 99.*upgrade"):
        read_manifest(blobs, newer)
    blob = blobs.put_bytes(b"{")
    with pytest.raises(ManifestError, match="damaged"):
        read_manifest(blobs, type(newer)(blob=blob.name, size=1))
    blobs.delete(newer.blob)
    with pytest.raises(ManifestError, match="cannot be read"):
        read_manifest(blobs, newer)
