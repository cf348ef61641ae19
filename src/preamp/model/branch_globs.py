"""Globs of branch names: `*` and `?` stop at `/`, `**` does not. The whole name has to fit."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"\*+|.", re.DOTALL)


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    return any(matches(name, pattern) for pattern in patterns)


def matches(name: str, pattern: str) -> bool:
    """All places in the pattern are followed at once: strangers' patterns cost length times length."""
    words = _WORD.findall(pattern)
    places = _skipping_stars({0}, words)
    for char in name:
        following = set()
        for place in places:
            word = words[place] if place < len(words) else ""
            if word.startswith("*"):
                if char != "/" or len(word) > 1:
                    following.add(place)
            elif word == char or (word == "?" and char != "/"):
                following.add(place + 1)
        places = _skipping_stars(following, words)
    return len(words) in places


def _skipping_stars(places: set[int], words: list[str]) -> set[int]:
    """With the places that are reached by letting stars match nothing."""
    reached = set(places)
    for start in places:
        place = start
        while place < len(words) and words[place].startswith("*"):
            place += 1
            reached.add(place)
    return reached
