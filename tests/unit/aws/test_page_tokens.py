from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preamp.aws.page_tokens import PageTokens
from preamp.model.caller import Scope
from preamp.model.errors import BadRequest

SCOPE = Scope(account="123456789012", region="us-east-1")
TOKENS = PageTokens(b"0123456789abcdef")
LIST = {"operation": "ListJobs", "parent": "d1/main", "scope": SCOPE}

keys = st.lists(st.integers(-(2**60), 2**60) | st.text(st.characters(codec="utf-8"), max_size=50), max_size=4)


@given(keys)
def test_there_and_back(key) -> None:
    token = TOKENS.encode(tuple(key), **LIST)
    assert TOKENS.decode(token, **LIST) == tuple(key)
    assert token.isascii()


@pytest.mark.parametrize(
    "other",
    [
        {"operation": "ListBranches"},
        {"parent": "d1/dev"},
        {"scope": Scope(account="123456789013", region="us-east-1")},
        {"scope": Scope(account="123456789012", region="us-west-2")},
    ],
)
def test_foreign_tokens(other) -> None:
    with pytest.raises(BadRequest, match="nextToken"):
        TOKENS.decode(TOKENS.encode((16,), **LIST), **{**LIST, **other})


def test_parents_cannot_be_shifted_into_the_operation() -> None:
    token = TOKENS.encode((1,), operation="a", parent='b","c', scope=SCOPE)
    with pytest.raises(BadRequest):
        TOKENS.decode(token, operation='a","b', parent="c", scope=SCOPE)


def test_every_changed_character_is_noticed() -> None:
    token = TOKENS.encode((16, "x"), **LIST)
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(BadRequest):
            TOKENS.decode(changed, **LIST)
    for changed in (token + "A", token + "=", token[:-1], " " + token, token + "\n"):
        with pytest.raises(BadRequest):
            TOKENS.decode(changed, **LIST)


@given(st.text(max_size=80))
def test_junk_is_a_bad_request(junk: str) -> None:
    with pytest.raises(BadRequest):
        TOKENS.decode(junk, **LIST)


def test_another_secret() -> None:
    with pytest.raises(BadRequest):
        PageTokens(b"fedcba9876543210").decode(TOKENS.encode((1,), **LIST), **LIST)


def test_short_secrets_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        PageTokens(b"short")
