from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.edge.rules.errors import IgnoredRule
from preamp.edge.rules.regex import LONGEST, compile_regex

SPA = r"^[^.]+$|\.(?!(css|gif|ico|jpg|js|png|txt|svg|woff|woff2|ttf|map|json|webp)$)([^.]+$)"
# Expressions that mean the same to Python's engine and to JavaScript's.
SAME = [
    SPA,
    r"^(?!/api/)",
    r"^(?!/api(/|$)).*",
    r"a(?=b)",
    r"/x(?!y)(?=z).",
    r"\.(?!js$)[a-z]+$|^/only$",
    r"^/[a-c]+$",
    r"[|(](?!a)",
]


@given(
    source=st.sampled_from(SAME),
    path=st.text(alphabet="/.abcjsxyz|(", max_size=10).map(lambda text: "/" + text)
    | st.sampled_from(
        ["/main.js", "/a.b.js", "/api", "/api/x", "/apis", "/page", "/a.css.txt", "/data.weird"]
    ),
)
def test_look_aheads_mean_what_they_mean_elsewhere(source, path):
    assert compile_regex(source)(path.encode()) == (re.search(source, path) is not None)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("(", "open group"),
        ("[a", "cannot be used"),
        (r"(a)\1", "cannot be used"),
        (r"(?<!a)b", "cannot be used"),
        (r"^((?!a).)*$", "cannot be used"),
        (r"(?!a)b(?!c)", "several places"),
        (r"b$(?!c)", "far side"),
        (r"(?!c)^b", "far side"),
        (r"(?!a)*b", "repeats a look-ahead"),
    ],
)
def test_what_cannot_be_matched_safely_is_refused(source, words):
    with pytest.raises(IgnoredRule, match=words):
        compile_regex(source)


def test_long_paths_never_match_a_look_ahead():
    matches = compile_regex(r"^/a+(?!b)")
    assert matches(b"/" + b"a" * (LONGEST - 1))
    assert not matches(b"/" + b"a" * LONGEST)


def test_escapes_of_javascript():
    assert compile_regex(r"^\/caf\u00e9$")("/café".encode())
    assert not compile_regex(r"^\/caf\u00e9$")(b"/cafe")


@pytest.mark.timeout(60)
def test_nothing_runs_away():
    # Elsewhere each of these takes longer than the age of the universe.
    path = b"/" + b"a" * 4000 + b"!"
    for source in (r"^/(a+)+$", r"^/(a|aa)+$", r"^/(a+)+(?!x)$"):
        assert not compile_regex(source)(path)
        assert not compile_regex(source)(path[:900] + b"!")
