from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from preamp.release.errors import ArchiveError
from preamp.release.publish import Limits
from preamp.release.unpack import unpack


def test_a_name_longer_than_a_file_system_takes_is_the_archives_fault(tmp_path: Path) -> None:
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a" * 300 + ".html", "x")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ArchiveError, match="name too long"):
        unpack(archive, folder, limits=Limits(max_bytes=1000, max_files=10))
