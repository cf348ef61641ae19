from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_a_script_for_every_shell(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_PREAMP_COMPLETE={shell}_complete" in result.output


def test_script_is_valid_bash(run: Run) -> None:
    script = run("completion", "bash").output
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_completes_commands_and_options() -> None:
    program = shutil.which("preamp", path=Path(sys.executable).parent)
    assert program is not None

    def complete(words: str, position: int) -> str:
        env = {
            **os.environ,
            "_PREAMP_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(position),
        }
        return subprocess.run([program], env=env, capture_output=True, text=True, check=False).stdout

    assert complete("preamp de", 1) == "plain,deploy\n"
    assert "plain,--files" in complete("preamp deploy --fi", 2)
