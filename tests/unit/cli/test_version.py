from __future__ import annotations

import json
import platform

import preamp
from tests.unit.cli.conftest import Run


def test_for_people(run: Run) -> None:
    assert run("version").output.startswith(
        f"preamp {preamp.__version__} (Python {platform.python_version()}"
    )


def test_for_programs(run: Run) -> None:
    assert json.loads(run("version", "--json").output)["preamp"] == preamp.__version__
