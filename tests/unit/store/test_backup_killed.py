"""Backups and restores that are killed in the middle leave nothing that stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from preamp.server.prepare import prepare
from preamp.settings import Settings
from preamp.store.backup import BackupError, make_backup, remove_backup_leftovers, restore_backup
from preamp.store.folder import DataFolder

KILLED = """
import os, signal, sys
from pathlib import Path
from preamp.store import backup
from preamp.store.folder import DataFolder

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

folder, archive = DataFolder(Path(sys.argv[1])), Path(sys.argv[2])
if sys.argv[3] == "backup":
    whole = backup._add
    def add(tar, path, name, *, mode):
        whole(tar, path, name, mode=mode)
        if name == "master.key":
            die()
    backup._add = add
    backup.make_backup(folder, archive)
else:
    DataFolder.make = die
    backup.restore_backup(archive, folder)
"""


def killed(folder: DataFolder, archive: Path, what: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder.root), str(archive), what])
    assert done.returncode == -9


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    prepare(folder, Settings(data=folder.root))
    return folder


def left(folder: DataFolder) -> list[str]:
    """What there is of backups."""
    beside = [path.name for path in folder.root.parent.iterdir() if path != folder.root]
    return sorted([*beside, *("backup" for _ in folder.run.glob("backup-*"))])


def test_the_next_backup_removes_what_a_killed_one_left(folder: DataFolder, tmp_path: Path) -> None:
    killed(folder, tmp_path / "one", "backup")
    assert left(folder) == ["backup", "one.partial"]
    make_backup(folder, tmp_path / "two")
    assert left(folder) == ["two"]


def test_it_may_have_the_same_name(folder: DataFolder, tmp_path: Path) -> None:
    killed(folder, tmp_path / "one", "backup")
    make_backup(folder, tmp_path / "one")
    assert left(folder) == ["one"]


def test_the_next_start_removes_them(folder: DataFolder, tmp_path: Path) -> None:
    killed(folder, tmp_path / "one", "backup")
    killed(folder, tmp_path / "two", "backup")
    prepare(folder, Settings(data=folder.root))
    assert left(folder) == []


def test_a_backup_that_is_being_made_is_left_alone(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preamp.store import backup

    whole, swept = backup._add_all, []

    def meanwhile(*arguments):
        swept.append(remove_backup_leftovers(folder))
        with pytest.raises(BackupError, match="another backup is writing it"):
            make_backup(folder, tmp_path / "one")
        whole(*arguments)

    monkeypatch.setattr(backup, "_add_all", meanwhile)
    make_backup(folder, tmp_path / "one")
    assert swept == [0]
    restore_backup(tmp_path / "one", DataFolder(tmp_path / "new"))
    assert left(folder) == ["new", "one"]


def test_the_next_restore_removes_what_a_killed_one_left(folder: DataFolder, tmp_path: Path) -> None:
    make_backup(folder, tmp_path / "one")
    new = DataFolder(tmp_path / "new")
    killed(new, tmp_path / "one", "restore")
    (leftover,) = tmp_path.glob(".new-*")
    assert (leftover / "master.key").exists()
    restore_backup(tmp_path / "one", new)
    assert left(folder) == ["new", "one"]
