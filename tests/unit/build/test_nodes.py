from __future__ import annotations

from pathlib import Path

import pytest

from preamp.build.nodes import Nodes
from preamp.build.toolchain import Node


@pytest.mark.parametrize(
    ("versions", "runtime"),
    [((), "nodejs22.x"), (("20.20.2",), "nodejs20.x"), (("20.20.2", "24.1.0"), "nodejs24.x")],
)
def test_the_runtime_is_that_of_the_last_version_asked_for(versions: tuple[str, ...], runtime: str) -> None:
    found = tuple(Node(version=version, root=Path("/usr"), system=False) for version in versions)
    assert Nodes(first=found[0] if found else None, all=found).runtime == runtime
