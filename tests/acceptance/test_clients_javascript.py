"""`@aws-sdk/client-amplify` for Node, unmodified: its tests are in tests/clients/js."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.preamp import running
from tests.support.repositories import STATIC_SPEC, new_repository

pytestmark = [pytest.mark.needs("node", "npm", "git", "bwrap")]

SOURCES = Path(__file__).parents[1] / "clients" / "js"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the client tests with the packages of their lock file."""
    folder = tmp_path_factory.mktemp("js") / "tests"
    shutil.copytree(SOURCES, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_javascript_sdk(installed: Path, tmp_path: Path) -> None:
    repository = new_repository(tmp_path, {"index.html": "<h1>js</h1>\n", "amplify.yml": STATIC_SPEC})
    with running(tmp_path / "data") as preamp:
        found = preamp.variables()
        done = subprocess.run(
            ["node", "--test", "--test-reporter=tap", "amplify.test.mjs"],
            cwd=installed,
            # This SDK reads AWS_REGION only.
            env={
                **os.environ,
                **found,
                "AWS_REGION": found["AWS_DEFAULT_REGION"],
                "TEST_REPOSITORY": repository.url,
            },
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout, done.stdout
    assert "# pass 7" in done.stdout, done.stdout
