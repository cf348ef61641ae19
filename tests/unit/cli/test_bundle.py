from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from preamp.cli.bundle import write_zip
from preamp.cli.errors import CommandError


def bundle(folder: Path) -> dict[str, bytes]:
    out = io.BytesIO()
    count = write_zip(folder, out)
    with zipfile.ZipFile(out) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert count == len(found)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("hello")
    (folder / "assets" / "späße.js").write_text("1")
    return folder


def test_every_file_with_its_path(site: Path) -> None:
    assert bundle(site) == {"index.html": b"hello", "assets/späße.js": b"1"}


def test_history_is_left_out(site: Path) -> None:
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("secret")
    (site / "assets" / ".git").write_text("gitdir: elsewhere")
    assert set(bundle(site)) == {"index.html", "assets/späße.js"}


def test_other_hidden_files_are_kept(site: Path) -> None:
    (site / ".well-known").mkdir()
    (site / ".well-known" / "security.txt").write_text("x")
    assert ".well-known/security.txt" in bundle(site)


def test_links_inside_become_files(site: Path) -> None:
    (site / "home.html").symlink_to("index.html")
    assert bundle(site)["home.html"] == b"hello"


def test_files_older_than_zip_itself(site: Path) -> None:
    os.utime(site / "index.html", (0, 0))
    assert bundle(site)["index.html"] == b"hello"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("/etc/hostname", "outside of the folder"),
        ("nowhere", "leads nowhere"),
        ("assets", "link to a folder"),
    ],
)
def test_links_that_are_refused(site: Path, target: str, says: str) -> None:
    (site / "link").symlink_to(target)
    with pytest.raises(CommandError, match=says):
        bundle(site)


def test_special_files_are_refused(site: Path) -> None:
    os.mkfifo(site / "pipe")
    with pytest.raises(CommandError, match="not a regular file"):
        bundle(site)


def test_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no files"):
        bundle(tmp_path)
