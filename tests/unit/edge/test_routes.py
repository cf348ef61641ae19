"""Patterns of routes, compared with what they mean as regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.paths import canonical
from preamp.edge.routes import RouteBook, matcher
from preamp.model.deploy_manifest import Route, Target, TargetKind

PIECES = st.sampled_from(["*", "/", ".", "a", "ab", "ba", "$", "~", '"', "'", "@", ":", "+", "-", "_"])
PATTERNS = st.lists(PIECES, max_size=8).map(lambda parts: "/" + "".join(parts))
PATHS = st.lists(st.sampled_from(["/", ".", "a", "b", "ab", "%20", "%22", "$", "+"]), max_size=10).map(
    lambda parts: "/" + "".join(parts)
)


def meaning(pattern: str) -> re.Pattern[str]:
    return re.compile("(?s)" + ".*".join(re.escape(canonical(part)) for part in pattern.split("*")))


@given(pattern=PATTERNS, path=PATHS)
def test_a_pattern_means_what_its_expression_means(pattern, path):
    path = canonical(path)
    assert matcher(pattern)(path) == bool(meaning(pattern).fullmatch(path))


@given(pattern=PATTERNS, fillings=st.lists(st.sampled_from(["", "a", "/", ".a", "ab/b"]), max_size=9))
def test_a_pattern_matches_every_filling_of_itself(pattern, fillings):
    path = "".join(
        (fillings.pop() if fillings else "") if char == "*" else char for char in canonical(pattern)
    )
    assert matcher(pattern)(path)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/*", "/", True),
        ("/*", "/a/b", True),
        ("/*.*", "/a.b", True),
        ("/*.*", "/.", True),
        ("/*.*", "/a", False),
        ("/*.*", "/v1.2/page", True),
        ("/a/*", "/a", False),
        ("/a/*", "/a/", True),
        ("/a*a", "/a", False),
        ("/a*a", "/aa", True),
        ("/a*b*a", "/aba", True),
        ("/a*ba*a", "/aba", False),
        ("/*ab*ab", "/ab", False),
        ("/exact", "/exact", True),
        ("/exact", "/exact/", False),
        ("/**", "/x/y", True),
        ('/a"b', "/a%22b", True),
        ("/A", "/a", False),
    ],
)
def test_examples(pattern, path, matches):
    assert matcher(pattern)(path) is matches


def test_no_pattern_takes_long():
    """With backtracking this would not end before the test is cut."""
    assert not matcher("/" + "a*" * 120 + "b")("/" + "a" * 8000)


def test_the_first_route_that_matches_decides():
    static, compute = Target(kind=TargetKind.STATIC), Target(kind=TargetKind.COMPUTE, src="default")
    book = RouteBook(
        [
            Route(path="/a/*", target=static),
            Route(path="/a/b", target=compute),
            Route(path="/*", target=compute),
        ]
    )
    assert book.find("/a/b").number == 0
    assert book.find("/a").number == 2
    assert book.find("/").route.target is compute
    assert book.find("*").number == 2, "OPTIONS * has no path"
    assert book.find("").number == 2
