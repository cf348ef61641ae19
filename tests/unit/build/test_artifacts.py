from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from preamp.build.artifacts import Collected, collect
from preamp.build.errors import BuildFailed
from preamp.build.spec import ArtifactRule


class Site:
    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "files"
        self.root = self.workspace / "src"
        self.root.mkdir(parents=True)
        self.output = folder / "output"
        self.warnings: list[str] = []

    def put(self, path: str, text: str = "x") -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def collect(self, base: str | None = "dist", **rule: object) -> Collected:
        return collect(
            ArtifactRule(base_directory=base, **rule),  # type: ignore[arg-type]
            root=self.root,
            workspace=self.workspace,
            output=self.output,
            warn=self.warnings.append,
        )

    def found(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.output)): path.read_text()
            for path in sorted(self.output.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("base", ["dist", "/dist", "./dist/", "/dist/"])
def test_everything_below_the_base(site: Site, base: str) -> None:
    site.put("dist/index.html", "hi")
    site.put("dist/.well-known/x", "dot")
    site.put("other", "no")
    collected = site.collect(base)
    assert site.found() == {"index.html": "hi", ".well-known/x": "dot"}
    assert (collected.file_count, collected.total_bytes) == (2, 5)


def test_repository_as_base_leaves_git_out(site: Site) -> None:
    site.put(".git/config")
    site.put("index.html", "hi")
    site.put("sub/.git/keep", "a folder of that name elsewhere is content")
    site.collect("/")
    assert set(site.found()) == {"index.html", "sub/.git/keep"}


def test_patterns_and_discard_paths(site: Site) -> None:
    for name in ("a/one.js", "b/two.js", "b/one.js", "b/two.map"):
        site.put(f"dist/{name}", name)
    site.collect(files=("**/*.js",), discard_paths=True)
    assert site.found() == {"one.js": "a/one.js", "two.js": "b/two.js"}
    assert "b/one.js" in site.warnings[0]


def test_links_inside_become_copies(site: Site) -> None:
    site.put("dist/real/page.html", "page")
    (site.root / "dist/alias.html").symlink_to("real/page.html")
    (site.root / "dist/folder").symlink_to("real")
    site.collect()
    assert site.found() == {"alias.html": "page", "folder/page.html": "page", "real/page.html": "page"}
    assert not any(path.is_symlink() for path in site.output.rglob("*"))


def test_links_outside_are_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    site.put("dist/index.html")
    for name, target in (("a", "/etc/passwd"), ("b", "../../../secret"), ("c", "nowhere"), ("d", ".")):
        (site.root / "dist" / name).symlink_to(target)
    (site.root / "dist/e").symlink_to(tmp_path)
    site.collect()
    assert set(site.found()) == {"index.html"}
    assert len(site.warnings) == 5


def test_sockets_and_pipes_are_left_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put("dist/index.html")
    os.mkfifo(site.root / "dist/pipe")
    monkeypatch.chdir(site.root / "dist")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        site.collect()
    assert set(site.found()) == {"index.html"}
    assert len(site.warnings) == 2


def test_hard_linked_files_are_copied(site: Site) -> None:
    one = site.put("dist/one", "same")
    os.link(one, site.root / "dist/two")
    site.collect()
    assert site.found() == {"one": "same", "two": "same"}
    assert (site.output / "one").stat().st_nlink == 1


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("dist", "Artifact directory doesn't exist: dist"),
        (None, "please check your buildSpec"),
        ("file", "is a file"),
        ("../..", "outside of the build's workspace"),
        ("link", "outside of the build's workspace"),
        ("empty", "No artifacts"),
    ],
)
def test_what_is_missing_is_named(site: Site, base: str | None, message: str) -> None:
    site.put("file")
    (site.root / "empty").mkdir()
    (site.root / "link").symlink_to("/etc")
    with pytest.raises(BuildFailed, match=message):
        site.collect(base)
