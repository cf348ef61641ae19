"""The test phases."""

from __future__ import annotations

import asyncio

import pytest

from preamp.build.errors import BuildFailed, FailedTests
from preamp.build.request import BuildResult
from preamp.build.run import run_build
from preamp.build.workspace import open_workspace
from tests.integration.build.support import Builder, Log, Repository, spec

pytestmark = pytest.mark.needs("git", "bwrap")

TESTS = """test:
  phases:
    preTest:
      commands: [cat dist/index.html, 'echo "$EXPORTED" > exported']
    test:
      commands:
        - mkdir -p e2e/report && echo png > e2e/shot.png && echo '{}' > e2e/report/mochawesome.json
        - echo spoiled > dist/index.html
        - %s
  artifacts:
    baseDirectory: e2e
    configFilePath: '**/mochawesome.json'
    files: ['**/*.png', '**/*.mp4']
"""
BUILD = spec("mkdir dist; echo built > dist/index.html; export EXPORTED=1; sleep 1234 & cd /")


async def run(builder: Builder, repository: Repository, **changes: object) -> tuple[BuildResult, Log, object]:
    """The result, the log of the tests, and what had been said about the build when it was opened."""
    tests = Log()
    contexts: list[str] = []

    async def opened(context: str) -> Log:
        contexts.append(context)
        assert "Terminating logging..." in builder.log.text
        return tests

    request = builder.request(repository.folder, **changes)
    async with open_workspace(request) as workspace:
        try:
            result = await run_build(
                request, workspace=workspace, sandbox=builder.sandbox, log=builder.log, open_test_log=opened
            )
        except FailedTests as error:
            left = error.checked.folder / "shot.png" if error.checked else None
            error.left = left.read_text() if left else None  # type: ignore[attr-defined]
            error.log = tests  # type: ignore[attr-defined]
            raise
        assert (result.output / "index.html").read_text() == "built\n", "tests change nothing of the release"
        if result.checked:
            for name in result.checked.files:
                assert (result.checked.folder / name).is_file()
        return result, tests, contexts


def test_they_run_after_the_build_in_a_shell_of_their_own(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": BUILD + TESTS % "cat exported"})
    result, tests, contexts = asyncio.run(run(builder, repository))
    assert result.tested
    assert result.checked is not None
    assert result.checked.files == ("report/mochawesome.json", "shot.png")
    assert result.checked.config_file == "report/mochawesome.json"
    assert contexts == [result.context]
    assert "# Starting phase: preTest" in tests.text
    assert "built\n" in tests.text
    assert "preTest" not in builder.log.text
    assert "# Caching" not in tests.text


def test_a_failed_test_fails_the_job_and_leaves_its_artifacts(
    repository: Repository, builder: Builder
) -> None:
    repository.commit({"amplify.yml": BUILD + TESTS % "'echo not equal; (exit 3)'"})
    with pytest.raises(FailedTests, match="of phase test failed with exit code 3\nnot equal") as caught:
        asyncio.run(run(builder, repository))
    assert isinstance(caught.value, BuildFailed)
    assert caught.value.left == "png\n"  # type: ignore[attr-defined]
    assert "!!! Non-Zero Exit Code detected" in caught.value.log.text  # type: ignore[attr-defined]


def test_they_can_be_switched_off(repository: Repository, builder: Builder) -> None:
    repository.commit({"amplify.yml": BUILD + TESTS % "'false'"})
    result, tests, _ = asyncio.run(run(builder, repository, branch_variables={"USER_DISABLE_TESTS": "true"}))
    assert (result.tested, result.checked, tests.text) == (False, None, "")
    assert "USER_DISABLE_TESTS is true" in builder.log.text


def test_artifacts_that_are_not_there_are_a_warning(repository: Repository, builder: Builder) -> None:
    rest = "test:\n  phases: {test: {commands: ['true']}}\n  artifacts: {baseDirectory: none, files: ['*']}\n"
    repository.commit({"amplify.yml": BUILD + rest})
    result = builder.run(repository.folder)
    assert (result.tested, result.checked) == (True, None)
    assert "! No test artifacts: Artifact directory doesn't exist: none" in builder.log.text
