"""Branches, commits, tags, submodules, hostile repositories."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from preamp.build.errors import SourceError
from preamp.build.mirror import mirror_folder
from preamp.build.request import Credentials
from tests.integration.build.support import FIRST_SLOT, Builder, Repository, spec
from tests.support.git_http import git_server

pytestmark = pytest.mark.needs("git", "bwrap")


def test_head_commit_tag_and_branch(repository: Repository, builder: Builder) -> None:
    first = repository.commit({"index.html": "one"})
    repository.git("tag", "v1")
    second = repository.commit({"index.html": "two"})
    repository.git("checkout", "-q", "-b", "feature/x")
    repository.commit({"index.html": "three"})

    def built(**changes: object) -> str:
        builder.run(repository.folder, **changes)
        return builder.output["index.html"]

    assert built() == "two"
    assert built(commit_id="HEAD") == "two"
    assert built(commit_id=first) == "one"
    assert built(commit_id=first[:10]) == "one"
    assert built(commit_id="v1") == "one"
    assert built(branch="feature/x") == "three"
    assert built(branch="main", commit_id=second) == "two"
    repository.commit({"index.html": "four"})
    assert built(branch="feature/x") == "four"


def test_force_push_moves_the_branch(repository: Repository, builder: Builder) -> None:
    repository.commit({"index.html": "one"})
    repository.commit({"index.html": "two"})
    builder.run(repository.folder)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.commit({"index.html": "other"})
    builder.run(repository.folder)
    assert builder.output["index.html"] == "other"


def test_a_build_sees_a_real_repository(repository: Repository, builder: Builder) -> None:
    sha = repository.commit(
        {
            "amplify.yml": spec(
                "mkdir dist; git log -1 --format=%H > dist/x; git status -sb; git describe --tags > dist/tag"
            )
        }
    )
    repository.git("tag", "v9")
    builder.run(repository.folder)
    assert builder.output == {"x": f"{sha}\n", "tag": "v9\n"}
    assert "## main" in builder.log.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"branch": "nope"}, r"has no branch 'nope'; it has main"),
        ({"commit_id": "0" * 40}, "has no commit 0000"),
        ({"commit_id": "v7"}, "has no commit or tag 'v7'"),
        ({"commit_id": "--upload-pack=x"}, "neither a commit nor a tag"),
        ({"branch": "-x"}, "cannot be the name of a git branch"),
        ({"branch": "a..b"}, "cannot be the name of a git branch"),
    ],
)
def test_what_is_missing_is_named(
    repository: Repository, builder: Builder, changes: dict[str, object], told: str
) -> None:
    repository.commit({"index.html": ""})
    with pytest.raises(SourceError, match=told):
        builder.run(repository.folder, **changes)
    assert "!!! CustomerError:" in builder.log.text


def test_no_repository(tmp_path: Path, builder: Builder) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        builder.run(tmp_path / "gone")


def test_unreachable_host(builder: Builder) -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        builder.run("http://127.0.0.1:1/x.git")


def test_empty_repository(repository: Repository, builder: Builder) -> None:
    with pytest.raises(SourceError, match="push a commit first"):
        builder.run(repository.folder)


def test_credentials_in_the_address_are_neither_stored_nor_logged(builder: Builder) -> None:
    with pytest.raises(SourceError) as caught:
        builder.run("http://me:pa55word@127.0.0.1:1/x.git")
    assert "pa55word" not in str(caught.value)
    assert "pa55word" not in builder.log.text


def test_submodules(repository: Repository, builder: Builder, tmp_path: Path) -> None:
    part = Repository(tmp_path / "part")
    part.commit({"part.txt": "part"})
    repository.git("submodule", "--quiet", "add", "../part", "lib")
    repository.commit({"index.html": "x"})
    builder.run(repository.folder)
    assert builder.output["lib/part.txt"] == "part"


@pytest.mark.parametrize("address", ["../part.git", "git@127.0.0.1:part.git", "ssh://git@127.0.0.1/part.git"])
def test_private_submodules_of_the_same_host(builder: Builder, tmp_path: Path, address: str) -> None:
    part = Repository(tmp_path / "part")
    part.commit({"part.txt": "part"})
    site = Repository(tmp_path / "site")
    part.git("clone", "-q", "--bare", ".", str(tmp_path / "srv/part.git"))
    site.git("submodule", "--quiet", "add", str(tmp_path / "part"), "lib")
    site.git("config", "-f", ".gitmodules", "submodule.lib.url", address)
    site.commit({"index.html": "x"})
    site.git("clone", "-q", "--bare", ".", str(tmp_path / "srv/site.git"))
    with git_server(tmp_path / "srv", user="x-access-token", password="t0ken-of-mine") as url:
        builder.run(f"{url}/site.git", credentials=Credentials(token="t0ken-of-mine"))
        assert builder.output["lib/part.txt"] == "part"
        assert "t0ken" not in builder.log.text
        with pytest.raises(SourceError, match="the given credentials were refused"):
            builder.run(f"{url}/site.git", credentials=Credentials(token="other-token"))
        with pytest.raises(SourceError, match="it needs credentials and none were given"):
            builder.run(f"{url}/site.git")


def test_a_build_cannot_read_the_credentials(builder: Builder, tmp_path: Path) -> None:
    site = Repository(tmp_path / "site")
    site.commit(
        {
            "amplify.yml": spec(
                "mkdir dist; cat .git/config > dist/x; env >> dist/x; git ls-remote && false || true"
            )
        }
    )
    site.git("clone", "-q", "--bare", ".", str(tmp_path / "srv/site.git"))
    with git_server(tmp_path / "srv", user="me", password="t0ken-of-mine") as url:
        builder.run(f"{url}/site.git", credentials=Credentials(token="me:t0ken-of-mine"))
    assert "t0ken" not in builder.output["x"] + builder.log.text
    assert "Authorization" not in builder.output["x"]


@pytest.mark.needs("git-lfs")
def test_large_files(repository: Repository, builder: Builder, tmp_path: Path) -> None:
    repository.git("lfs", "install", "--local")
    repository.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    repository.commit({"big.bin": "large " * 100, "index.html": "x"})
    pointer = repository.git("show", "HEAD:big.bin")
    assert pointer.startswith("version https://git-lfs")
    builder.run(repository.folder)
    assert builder.output["big.bin"] == "large " * 100
    assert "# Fetching the files of Git LFS" in builder.log.text


def test_large_files_without_the_program(
    repository: Repository, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preamp.build import source

    monkeypatch.setattr(source.shutil, "which", lambda _: None)
    repository.commit({"assets/.gitattributes": "*.bin filter=lfs\n", "index.html": "x"})
    with pytest.raises(SourceError, match="git-lfs is not installed"):
        builder.run(repository.folder)


def test_hooks_and_filters_of_a_repository_do_not_run(
    repository: Repository, builder: Builder, tmp_path: Path
) -> None:
    trap = tmp_path / "trapped"
    hook = repository.folder / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    repository.commit({"index.html": "", ".gitattributes": "*.html filter=evil\n"})
    repository.git("config", "filter.evil.smudge", f"touch {trap}; cat")
    repository.git("config", "core.fsmonitor", f"touch {trap}")
    trap.unlink(missing_ok=True)
    builder.run(repository.folder)
    assert not trap.exists()


def test_a_damaged_mirror_is_made_again(repository: Repository, builder: Builder) -> None:
    repository.commit({"index.html": "one"})
    builder.run(repository.folder)
    mirror = mirror_folder(builder.folders.mirrors, "dtest", str(repository.folder))
    for path in mirror.rglob("*"):
        if path.is_file() and "objects" in path.parts:
            path.chmod(0o644)
            path.write_bytes(b"rubbish")
    (mirror / "refs/heads/main.lock").touch()
    repository.commit({"index.html": "two"})
    builder.run(repository.folder)
    assert builder.output["index.html"] == "two"


def test_a_mirror_that_is_no_repository_is_made_again(repository: Repository, builder: Builder) -> None:
    outer = Repository(builder.folders.mirrors.parent)  # where git would look next
    repository.commit({"index.html": "one"})
    builder.run(repository.folder)
    mirror = mirror_folder(builder.folders.mirrors, "dtest", str(repository.folder))
    shutil.rmtree(mirror / "objects")  # which a killed `git init` has not made yet
    mirror.with_suffix(".new").mkdir()
    repository.commit({"index.html": "two"})
    builder.run(repository.folder)
    assert builder.output["index.html"] == "two"
    assert outer.git("for-each-ref") == ""


def test_builds_of_one_repository_at_once(repository: Repository, builder: Builder, tmp_path: Path) -> None:
    repository.commit({"index.html": "x"})
    builders = [Builder(tmp_path / "state", builder.sandbox) for _ in range(4)]

    async def all_at_once() -> None:
        await asyncio.gather(
            *(one.build(repository.folder, slot=FIRST_SLOT + slot) for slot, one in enumerate(builders))
        )

    asyncio.run(all_at_once())
    assert all(one.output == {"index.html": "x"} for one in builders)


def test_the_mirror_stays_ours(repository: Repository, builder: Builder) -> None:
    repository.commit({"index.html": "x"})
    builder.run(repository.folder)
    mirror = mirror_folder(builder.folders.mirrors, "dtest", str(repository.folder))
    assert {path.lstat().st_uid for path in mirror.rglob("*")} == {os.geteuid()}
