from __future__ import annotations

import pytest

from preamp.model.branch_globs import matches, matches_any


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("main", "main", True),
        ("main", "mai", False),
        ("main", "mainx", False),
        ("*", "main", True),
        ("*", "feature/x", False),
        ("**", "feature/x", True),
        ("feature/*", "feature/x", True),
        ("feature/*", "feature/x/y", False),
        ("feature/**", "feature/x/y", True),
        ("feature/**", "feature/", True),
        ("feature*/**", "feature/x", True),
        ("pr*", "pr", True),
        ("*-rc", "1.0-rc", True),
        ("*-rc", "1.0-rc-rc", True),
        ("v?", "v1", True),
        ("v?", "v", False),
        ("a?b", "a/b", False),
        ("[a]", "a", False),
        ("a.c", "abc", False),
        ("", "", True),
        ("*", "", True),
    ],
)
def test_matches(pattern: str, name: str, fits: bool) -> None:
    assert matches(name, pattern) is fits


def test_one_of_several_is_enough() -> None:
    assert matches_any("dev", ["main", "d*"])
    assert not matches_any("dev", [])


def test_patterns_of_strangers_cost_little() -> None:
    # Backtracking would not come to an end.
    assert not matches("a" * 255, "*a" * 1000 + "b")
