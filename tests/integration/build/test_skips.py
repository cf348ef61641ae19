"""Builds that need not be."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from preamp.build.errors import BuildSkipped, SourceError
from preamp.build.git import Git, Remote
from preamp.build.peek import reason_seen_from_afar
from preamp.build.request import EventKind
from tests.integration.build.support import Builder, Repository

pytestmark = pytest.mark.needs("git", "bwrap")
DIFF = {"AMPLIFY_DIFF_DEPLOY": "true"}


@pytest.fixture
def first(repository: Repository) -> str:
    return repository.commit({"index.html": "1", "src/a": "1", "apps/web/index.html": "1", "docs/a": "1"})


@pytest.mark.parametrize("message", ["Words [skip-cd]", "Words\n\nbody [skip-cd]\n", "[SKIP-CD]"])
def test_skip_mark(repository: Repository, builder: Builder, message: str) -> None:
    sha = repository.commit({"index.html": ""}, message)
    with pytest.raises(BuildSkipped, match="ends with") as caught:
        builder.run(repository.folder, obey_skip_mark=True)
    assert caught.value.commit.commit_id == sha
    assert [event.kind for event in builder.events] == [EventKind.SOURCE]
    assert "# Skipped: the commit message ends with [skip-cd]" in builder.log.text
    assert "ERROR" not in builder.log.text
    builder.run(repository.folder)


def test_a_mark_elsewhere_means_nothing(repository: Repository, builder: Builder) -> None:
    repository.commit({"index.html": ""}, "[skip-cd] is what this is about")
    builder.run(repository.folder, obey_skip_mark=True)


@pytest.mark.parametrize(
    ("variables", "changed", "skipped"),
    [
        (DIFF, "src/a", False),
        (DIFF, "docs/a", True),
        (DIFF | {"AMPLIFY_MONOREPO_APP_ROOT": "apps/web"}, "src/a", True),
        (DIFF | {"AMPLIFY_MONOREPO_APP_ROOT": "./apps/web"}, "apps/web/index.html", False),
        (
            DIFF | {"AMPLIFY_DIFF_DEPLOY_ROOT": "/docs", "AMPLIFY_MONOREPO_APP_ROOT": "apps/web"},
            "docs/a",
            False,
        ),
        (DIFF | {"AMPLIFY_DIFF_DEPLOY_ROOT": "docs"}, "src/a", True),
        ({"AMPLIFY_DIFF_DEPLOY": "false"}, "docs/a", False),
        ({}, "docs/a", False),
    ],
)
def test_diff_deploy(
    repository: Repository,
    builder: Builder,
    first: str,
    variables: dict[str, str],
    changed: str,
    skipped: bool,
) -> None:
    repository.commit({changed: "2"})
    if skipped:
        with pytest.raises(BuildSkipped, match="nothing in '.*' has changed since commit " + first):
            builder.run(repository.folder, app_variables=variables, built_commit=first)
    else:
        builder.run(repository.folder, app_variables=variables, built_commit=first)


def test_without_src_the_whole_repository_is_compared(repository: Repository, builder: Builder) -> None:
    first = repository.commit({"index.html": "1"})
    repository.commit({"index.html": "2"})
    builder.run(repository.folder, app_variables=DIFF, built_commit=first)
    same = repository.git("rev-parse", "HEAD")
    repository.commit({})
    with pytest.raises(BuildSkipped, match="the repository"):
        builder.run(repository.folder, app_variables=DIFF, built_commit=same)


def test_a_commit_that_is_gone_is_a_difference(repository: Repository, builder: Builder, first: str) -> None:
    builder.run(repository.folder, app_variables=DIFF, built_commit="1" * 40)


def test_a_root_outside(repository: Repository, builder: Builder, first: str) -> None:
    with pytest.raises(SourceError, match=r"AMPLIFY_DIFF_DEPLOY_ROOT '\.\./x' leaves the repository"):
        builder.run(
            repository.folder, app_variables=DIFF | {"AMPLIFY_DIFF_DEPLOY_ROOT": "../x"}, built_commit=first
        )


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_without_a_mirror_neither_files_nor_history_are_fetched(
    repository: Repository, builder: Builder, first: str, tmp_path: Path
) -> None:
    """The first job of a worker that has never seen the repository."""
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.commit({"docs/big": os.urandom(1_000_000).hex()})
    same = repository.commit({"docs/a": "2"})
    for commit_id in (None, "HEAD", same):
        builder.events.clear()
        with pytest.raises(BuildSkipped, match="nothing in 'src' has changed") as caught:
            builder.run(repository.folder, app_variables=DIFF, built_commit=first, commit_id=commit_id)
        assert caught.value.commit.commit_id == same
        assert [event.kind for event in builder.events] == [EventKind.SOURCE]
        assert size(builder.folders.mirrors) == 0, "there is only a lock"
    request = builder.request(repository.folder, app_variables=DIFF, built_commit=first)
    target = Remote(url=str(repository.folder), local=True)
    git = Git(target, trusted_config=True)
    assert asyncio.run(reason_seen_from_afar(request, target, git, tmp_path / "peek.git"))
    assert 0 < size(tmp_path / "peek.git") < 100_000
    repository.commit({"src/a": "2"})
    builder.run(repository.folder, app_variables=DIFF, built_commit=first)
    assert size(builder.folders.mirrors) > 1_000_000


def test_a_host_that_cannot_leave_out_files(repository: Repository, builder: Builder, first: str) -> None:
    repository.git("config", "uploadpack.allowFilter", "false")
    repository.commit({"docs/a": "2"})
    with pytest.raises(BuildSkipped):
        builder.run(repository.folder, app_variables=DIFF, built_commit=first)


def test_an_abbreviated_commit_is_left_to_the_clone(
    repository: Repository, builder: Builder, first: str
) -> None:
    second = repository.commit({"docs/a": "2"})
    with pytest.raises(BuildSkipped):
        builder.run(repository.folder, app_variables=DIFF, built_commit=first, commit_id=second[:10])
    assert size(builder.folders.mirrors) > 0
