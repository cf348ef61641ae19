"""Builds that need not be."""

from __future__ import annotations

import pytest

from preamp.build.errors import BuildSkipped, SourceError
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
