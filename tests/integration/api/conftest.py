from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.control import InProcess, in_process


@pytest.fixture
def preamp(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path / "data") as it:
        yield it


@pytest.fixture
def client(preamp: InProcess) -> Any:
    return preamp.client()
