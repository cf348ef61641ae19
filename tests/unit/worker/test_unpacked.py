from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from preamp.build import mounts
from preamp.build.request import Folders
from preamp.build.snapshots import SnapshotError, content_note
from preamp.worker import unpacked
from preamp.worker.unpacked import MIN_ARCHIVE_BYTES, CacheUnpacker


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mounts, "refusal", lambda: None)
    path = tmp_path / "app/branch/key.tar.zst"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * MIN_ARCHIVE_BYTES)
    content_note(path).write_text("one")
    return path


def made(
    monkeypatch: pytest.MonkeyPatch, root: Path, *asked: Path, max_bytes: int = 1, fail: bool = False
) -> list[Path]:
    """Which snapshots are tried when these are asked for, one after the other."""
    tried: list[Path] = []

    async def make(archive: Path, **_: Any) -> int:
        tried.append(archive)
        if fail:
            raise SnapshotError
        return 1

    monkeypatch.setattr(unpacked, "make_snapshot", make)
    folders = Folders(mirrors=root, caches=root, toolchains=root)
    unpacker = CacheUnpacker(sandbox=None, folders=folders, max_bytes=max_bytes)  # type: ignore[arg-type]

    async def run() -> None:
        task = asyncio.create_task(unpacker.keep_unpacking())
        for path in asked:
            if path == CHANGE:
                content_note(next(root.rglob("*.tar.zst"))).write_text("two")
                continue
            unpacker.ask(path)
            await asyncio.sleep(0.02)
        task.cancel()

    asyncio.run(run())
    return tried


CHANGE = Path("the archive is saved anew")


def test_archives_worth_it_are_unpacked(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = archive.with_name("small.tar.zst")
    small.write_bytes(b"x")
    asked = (small, archive, archive.with_name("none.tar.zst"), archive)
    assert made(monkeypatch, tmp_path, *asked) == [archive, archive]
    assert made(monkeypatch, tmp_path, archive, max_bytes=0) == []
    monkeypatch.setattr(mounts, "refusal", lambda: "not here")
    assert made(monkeypatch, tmp_path, archive) == []


def test_what_failed_is_not_tried_again_until_it_changes(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert made(monkeypatch, tmp_path, archive, archive, CHANGE, archive, fail=True) == [archive, archive]
    assert "could not be unpacked" in caplog.text
