from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.aws.wildcards import matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("arn:*", "arn:aws:amplify:x:1:apps/d1/branches/a/b", True),
        ("apps/?", "apps/d", True),
        ("apps/?", "apps/", False),
        ("a[b]*", "a[b]c", True),
        ("a[b]*", "abc", False),
        ("a*b", "a\nb", True),
        ("apps/d1", "apps/D1", False),
        ("apps/*/branches/main", "apps/d1/branches/main/jobs/1", False),
    ],
)
def test_examples(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_same_as_fnmatch(pattern: str, text: str) -> None:
    assert matches(pattern, text) is bool(re.match(fnmatch.translate(pattern), text))


def test_many_stars_end() -> None:
    assert not matches("a*" * 200 + "b", "a" * 5000)
