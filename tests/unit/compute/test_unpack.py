from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import zstandard

from preamp.compute.errors import BundleError
from preamp.compute.unpack import unpack


def archive(*members: tuple[str, object], **changes: object) -> io.BytesIO:
    """Members: (name, bytes of a file | "-> target" of a link | a tar type)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, what in members:
            member = tarfile.TarInfo(name)
            data = b""
            if isinstance(what, bytes) and len(what) == 1:
                member.type = what
                member.linkname = "a"
            elif isinstance(what, bytes):
                data = what
                member.size = len(data)
            elif isinstance(what, str):
                member.type = tarfile.SYMTYPE
                member.linkname = what.removeprefix("-> ")
            for field, value in changes.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(data))
    return io.BytesIO(zstandard.ZstdCompressor().compress(buffer.getvalue()))


def unpacked(source: io.BytesIO, folder: Path, *, max_bytes: int = 1000, max_files: int = 10) -> Path:
    folder.mkdir(exist_ok=True)
    unpack(source, folder, max_bytes=max_bytes, max_files=max_files)
    return folder


def test_files_folders_and_links(tmp_path: Path) -> None:
    folder = unpacked(
        archive(
            ("compute", tarfile.DIRTYPE),
            ("compute/default/index.js", b"run"),
            ("compute/node_modules/.bin/tool", "-> ../tool/cli.js"),
            ("compute/node_modules/tool/cli.js", b"tool"),
            ("compute/sideways", "-> default/../default"),
        ),
        tmp_path / "b",
    )
    assert (folder / "compute/default/index.js").read_bytes() == b"run"
    assert (folder / "compute/node_modules/.bin/tool").read_bytes() == b"tool"
    assert (folder / "compute/sideways/index.js").read_bytes() == b"run"


def test_everybody_may_read_and_only_programs_are_programs(tmp_path: Path) -> None:
    folder = unpacked(archive(("a/file", b"data"), mode=0o4600), tmp_path / "b")
    assert (folder / "a/file").stat().st_mode & 0o7777 == 0o644
    assert (folder / "a").stat().st_mode & 0o7777 == 0o755
    program = unpacked(archive(("run", b"data"), mode=0o700), tmp_path / "c") / "run"
    assert program.stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "members",
    [
        [("/etc/x", b"data")],
        [("../x", b"data")],
        [("a/../../x", b"data")],
        [("link", "-> /etc/passwd")],
        [("link", "-> ../out")],
        [("a/link", "-> ../../out")],
        # each looks harmless alone: up from where the other one leads
        [("d/e/up", "-> .."), ("g", "-> d/e/up/../..")],
        [("pipe", tarfile.FIFOTYPE)],
        [("device", tarfile.CHRTYPE)],
        [("disk", tarfile.BLKTYPE)],
        [("a", b"data"), ("hard", tarfile.LNKTYPE)],
        [("folder", "-> other"), ("folder/x", b"data")],
        [("folder", b"data"), ("folder/x", b"data")],
        [("folder/x", b"data"), ("folder", b"data")],
        [("", b"data")],
    ],
)
def test_what_is_refused(tmp_path: Path, members: list[tuple[str, object]]) -> None:
    with pytest.raises(BundleError):
        unpacked(archive(*members), tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_more_than_was_published(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="larger"):
        unpacked(archive(("a", b"x" * 600), ("b", b"x" * 600)), tmp_path / "b")
    with pytest.raises(BundleError, match="more files"):
        unpacked(archive(("a", b"xx"), ("b", b"xx")), tmp_path / "c", max_files=1)


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_damage(tmp_path: Path, keep: int) -> None:
    whole = archive(("a", bytes(range(256)) * 3)).getvalue()
    with pytest.raises(BundleError, match="damaged"):
        unpacked(io.BytesIO(whole[:keep]), tmp_path / "b")
