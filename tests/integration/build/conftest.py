from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.build.support import Builder, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path / "state")
