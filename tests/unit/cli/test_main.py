from __future__ import annotations

import subprocess
import sys

import pytest

from preamp.cli.main import preamp
from tests.unit.cli.conftest import Run

HEAVY = {"botocore", "sqlalchemy", "pydantic", "rich", "alembic", "msgspec", "asyncio", "preamp.settings"}


def test_help_imports_nothing_heavy() -> None:
    script = f"import sys, preamp.cli.main; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, command in preamp.commands.items():
        assert f"  {name} " in result.output
        assert command.get_short_help_str(200) in result.output, "the first sentence must fit the list"


def test_help_does_not_depend_on_the_terminal(run: Run) -> None:
    narrow = run("serve", "--help", env={"COLUMNS": "40"}).output
    assert narrow == run("serve", "--help", env={"COLUMNS": "200"}).output


def test_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "preamp", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "preamp 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["serve", "--control", "nonsense"], 2, "setting control: "),
        (["serve", "--auth", "nobody"], 2, "'nobody' is not one of 'keys', 'any'"),
        (["serve", "--no-such-flag"], 2, "No such option"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["jobs", "site"], 2, "Missing argument 'BRANCH'"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(
    run: Run, arguments: list[str], status: int, says: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == status
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_broken_settings_file_is_named(run: Run, tmp_path) -> None:
    (tmp_path / "preamp.toml").write_text("control = \n")
    result = run("env", "--data", tmp_path)
    assert result.exit_code == 2
    assert str(tmp_path / "preamp.toml") in result.stderr


def test_unusable_data_folder_is_named(run: Run, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    result = run("keys", "list", "--data", tmp_path / "file" / "data")
    assert result.exit_code == 2
    assert str(tmp_path / "file" / "data") in result.stderr
