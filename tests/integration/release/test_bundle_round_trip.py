"""What is packed when a bundle is published can be unpacked where its server runs, and is the same."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from preamp.compute.unpack import unpack
from preamp.model.deploy_manifest import ComputeResource
from preamp.release.errors import PublishError
from preamp.release.pack import pack
from preamp.store.blobs import LocalBlobs

NAMES = st.sampled_from(["a", "b", "c", "ü x", "n" * 120])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TARGETS = st.lists(st.sampled_from([".", "..", "a", "b", "c", ""]), min_size=1, max_size=5).map("/".join)
ENTRIES = st.lists(
    st.tuples(PATHS, st.one_of(st.none(), st.binary(max_size=20), TARGETS), st.booleans()), max_size=12
)
SERVER = ComputeResource(name="default", runtime="nodejs22.x", entrypoint="index.js")


def build(folder: Path, entries) -> None:
    """None: a folder, bytes: a file, text: a link. What is in the way of another is left out."""
    folder.mkdir()
    for path, content, executable in entries:
        place = folder / path
        with contextlib.suppress(OSError, RuntimeError):
            real = place.parent.resolve()
            if not real.is_relative_to(folder) or place.is_symlink():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                place.mkdir()
            elif isinstance(content, bytes):
                place.write_bytes(content)
                place.chmod(0o755 if executable else 0o644)
            else:
                place.symlink_to(content)


def listed(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for place in folder.rglob("*"):
        name = place.relative_to(folder).as_posix()
        if place.is_symlink():
            found[name] = ("link", str(place.readlink()))
        elif place.is_dir():
            found[name] = "folder"
        else:
            found[name] = ("file", place.read_bytes(), bool(place.stat().st_mode & 0o111))
    return found


@settings(max_examples=100, deadline=None)
@given(entries=ENTRIES)
def test_what_can_be_packed_can_be_unpacked(entries):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        build(root / "bundle", entries)
        blobs = LocalBlobs(root / "blobs")
        try:
            compute = pack(
                root / "bundle",
                SERVER,
                blobs=blobs,
                max_bytes=10_000,
                max_server_bytes=10_000,
                max_files=100,
                tick=lambda: None,
            )
        except PublishError:
            assert any(isinstance(content, str) for _, content, _ in entries), "only links are refused"
            return
        (root / "out").mkdir()
        with blobs.open(compute.archive.blob) as archive:
            unpack(archive, root / "out", max_bytes=compute.total_bytes, max_files=compute.file_count)
        assert listed(root / "out") == listed(root / "bundle")
        for place in (root / "out").rglob("*"):
            assert place.resolve().is_relative_to(root / "out")
