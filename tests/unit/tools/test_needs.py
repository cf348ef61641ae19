"""The `needs` marker of tests/conftest.py, in a test run of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[2] / "conftest.py"
TESTS = """
import pytest

@pytest.mark.needs("no-such-tool", "sh")
def test_with_a_missing_tool(): pass

@pytest.mark.needs("sh")
def test_with_a_present_tool(): pass
"""


def run_tests(folder: Path, *arguments: str, ci: bool) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs(*tools): programs\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--strict-markers", *arguments, "."]
    return subprocess.run(
        command, cwd=folder, env={**env, "CI": str(ci).lower()}, capture_output=True, text=True
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_missing_tool_is_named_at_the_end(tmp_path: Path, workers: str) -> None:
    done = run_tests(tmp_path, "-n", workers, ci=False)
    assert done.returncode == 0, done.stdout
    last = [line for line in done.stdout.splitlines() if line][-3:]
    assert "not run: no-such-tool is missing" in last[0]
    assert last[1].endswith("test_it.py::test_with_a_missing_tool")
    assert "1 passed, 1 skipped" in last[2]


def test_in_ci_a_missing_tool_is_a_failure(tmp_path: Path) -> None:
    done = run_tests(tmp_path, "-n", "0", ci=True)
    assert done.returncode == 1
    assert "in CI every tool must be there" in done.stdout
    assert "1 passed, 1 error" in done.stdout.splitlines()[-1]
