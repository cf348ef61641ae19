from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from preamp.cli.errors import CommandError
from preamp.cli.source import Files, Repository, decide

pytestmark = pytest.mark.needs("git")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def working(tmp_path: Path) -> Path:
    folder = tmp_path / "my site"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "index.html").write_text("hello")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_working_folder_is_a_repository(working: Path) -> None:
    assert decide(str(working), as_files=False) == Repository(
        url=f"file://{str(working).replace(' ', '%20')}", branch="trunk", name="my site"
    )


def test_uncommitted_changes_are_noticed(working: Path) -> None:
    (working / "new").write_text("")
    found = decide(str(working), as_files=False)
    assert isinstance(found, Repository)
    assert found.uncommitted


def test_working_folder_as_files(working: Path) -> None:
    assert decide(str(working), as_files=True) == Files(path=working, branch="main", name="my site")


def test_folder_inside_a_working_folder_is_files(working: Path) -> None:
    (working / "dist").mkdir()
    assert decide(str(working / "dist"), as_files=False) == Files(
        path=working / "dist", branch="main", name="dist"
    )


def test_bare_repository(working: Path, tmp_path: Path) -> None:
    bare = tmp_path / "site.git"
    git(tmp_path, "clone", "-q", "--bare", str(working), str(bare))
    assert decide(str(bare), as_files=False) == Repository(url=bare.as_uri(), branch="trunk", name="site")


def test_url_with_its_default_branch(working: Path) -> None:
    url = working.as_uri()
    assert decide(url, as_files=False) == Repository(url=url, branch="trunk", name="my%20site")


def test_zip_file(tmp_path: Path) -> None:
    (tmp_path / "dist.ZIP").write_bytes(b"")
    assert decide(str(tmp_path / "dist.ZIP"), as_files=False) == Files(
        path=tmp_path / "dist.ZIP", branch="main", name="dist"
    )


def test_detached_head_names_the_way_out(working: Path) -> None:
    git(working, "checkout", "-q", "--detach")
    with pytest.raises(CommandError, match="--branch"):
        decide(str(working), as_files=False)


@pytest.mark.parametrize(
    ("source", "as_files", "says"),
    [
        ("no/such/folder", False, "does not exist"),
        ("file:///no/such/repository.git", False, "git: "),
        ("https://example.com/site.git", True, "--files needs a folder"),
        ("git@example.com:site.git", True, "--files needs a folder"),
    ],
)
def test_what_cannot_be_deployed(source: str, as_files: bool, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        decide(source, as_files=as_files)


def test_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    with pytest.raises(CommandError, match="neither a folder"):
        decide(str(tmp_path / "index.html"), as_files=False)


def test_without_git(working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CommandError, match="git is not installed"):
        decide(str(working), as_files=False)
