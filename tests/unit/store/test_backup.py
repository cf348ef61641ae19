from __future__ import annotations

from pathlib import Path

import pytest

from preamp.store.backup import BackupError, make_backup
from preamp.store.folder import DataFolder


def test_a_database_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.make()
    folder.database.write_bytes(b"no database" * 1000)
    with pytest.raises(BackupError, match=f"{folder.root} cannot be copied: file is not a database"):
        make_backup(folder, tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert list(folder.run.iterdir()) == []
