from __future__ import annotations

import json
from pathlib import Path

import pytest

from preamp.cli import doctor
from preamp.cli.doctor import Need, Tool, look
from tests.unit.cli.conftest import Run


def test_report_for_programs(run: Run, tmp_path: Path) -> None:
    findings = json.loads(run("doctor", "--json", "--data", tmp_path).stdout)
    names = [finding["name"] for finding in findings]
    assert {"python", "git", "bwrap", "node", "npm", "zstd", "sandbox"} <= set(names)
    assert all(finding["purpose"] and finding["detail"] for finding in findings)


def test_missing_git_is_an_error(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_program", lambda name: None if name == "git" else "/nonexistent")
    result = run("doctor", "--data", tmp_path)
    assert result.exit_code == 2
    assert "cannot do without: git" in result.stderr
    assert "!!  git" in result.stdout
    assert "apt install git" in result.stdout


def test_version_is_the_programs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho tool 1.2.3 >&2\necho more\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = Tool(program="tool", purpose="tests", need=Need.OPTIONAL, package="tool")
    assert look(tool).detail == "more"
    program.write_text("#!/bin/sh\necho tool 1.2.3 >&2\nexit 1\n")
    assert look(tool).detail == "tool 1.2.3"
    program.write_text("#!/no/such/interpreter\n")
    found = look(tool)
    assert found.ok
    assert "does not say its version" in found.detail
