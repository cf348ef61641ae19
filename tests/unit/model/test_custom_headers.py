from __future__ import annotations

import pytest

from preamp.model.custom_headers import (
    CustomHeadersError,
    HeaderRule,
    from_normalised,
    normalised,
    parse_custom_headers,
)

ONE = "- pattern: '**/*'\n  headers:\n  - key: X-Frame-Options\n    value: SAMEORIGIN\n"
RULE = HeaderRule(pattern="**/*", headers=(("X-Frame-Options", "SAMEORIGIN"),))


def indent(text: str, by: int) -> str:
    return "".join(" " * by + line + "\n" for line in text.splitlines())


def test_entries_keep_their_order():
    text = "customHeaders:\n" + ONE + ONE.replace("**/*", "/a").replace("SAMEORIGIN", "1")
    assert parse_custom_headers(text) == (
        RULE,
        HeaderRule(pattern="/a", headers=(("X-Frame-Options", "1"),)),
    )


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "null", "customHeaders:\n", "customHeaders: []", "{}"]
)
def test_nothing_is_no_headers(text):
    assert parse_custom_headers(text) == ()


def test_numbers_are_taken_as_written():
    text = "customHeaders: [{pattern: '*', headers: [{key: X-N, value: 1.10}, {key: X-B, value: yes}]}]"
    assert parse_custom_headers(text)[0].headers == (("X-N", "1.10"), ("X-B", "yes"))


def test_a_monorepo_has_one_part_for_each_app():
    text = f"applications:\n  - appRoot: packages/web\n    customHeaders:\n{indent(ONE, 4)}  - appRoot: b\n"
    assert parse_custom_headers(text, app_root="packages/web/") == (RULE,)
    assert parse_custom_headers(text, app_root="b") == ()
    assert parse_custom_headers(text, app_root="c") == ()


def test_normalised_text_gives_the_same_rules():
    text = normalised((RULE,))
    assert from_normalised(text) == (RULE,)
    assert parse_custom_headers(text) == (RULE,)
    assert from_normalised(None) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("customHeaders:\n  - pattern: **/*\n", "line 2, column 14: .*quote patterns"),
        ("customHeaders: [\n", "line 2, column 1: not valid YAML"),
        ("customHeaders:\n\t- a: b", "line 2, column 1: not valid YAML"),
        ("hello", "line 1, column 1: the text has to be a mapping"),
        ("customHeaders: hello", "line 1, column 16: `customHeaders` has to be a list"),
        ("customHeaders:\n  - hello", "line 2, column 5: an entry of `customHeaders`"),
        ("customHeaders:\n  - headers: []", "line 2, column 5: `pattern` is missing"),
        ("customHeaders:\n  - pattern: ''\n    headers: []", "line 2, column 14: `pattern` is empty"),
        ("customHeaders:\n  - pattern: a", "line 2, column 5: .*'a' has no `headers`"),
        ("customHeaders:\n  - pattern: a\n    headers: [{key: x}]", "line 3, column 15: `value` is missing"),
        (
            "customHeaders:\n  - pattern: a\n    headers: [{key: 'x y', value: b}]",
            "'x y' is not a header name",
        ),
        ("customHeaders:\n  - pattern: a\n    headers: [{key: x, value: [b]}]", "`value` has to be text"),
        ('customHeaders:\n  - pattern: a\n    headers: [{key: x, value: "b\\nSet-Cookie: c"}]', "line break"),
        ("customHeaders:\n  - pattern: a\n    headers: [{key: Content-Length, value: 1}]", "cannot be set"),
        ("a" * 30_000, "30000 characters long"),
    ],
)
def test_mistakes_are_told_with_their_place(text, words):
    with pytest.raises(CustomHeadersError, match=words):
        parse_custom_headers(text)
