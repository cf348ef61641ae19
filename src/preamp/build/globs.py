"""Patterns of `artifacts.files` and `cache.paths`.

`**` crosses folders, `*` and `?` stay in a segment, `[...]` and `{a,b}` work, dot files match like others, a
leading `/` or `./` means nothing, a pattern that names a folder means all that is in it, `!` excludes.

Patterns come from strangers: a path is matched segment by segment, in time that cannot explode.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence

_GLOB = re.compile(r"[*?\[{]")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
MAX_PATTERN = 1024
MAX_ALTERNATIVES = 64

_Segments = tuple[re.Pattern[str] | None, ...]
"""One matcher per segment; `None` is `**`."""


def normal(pattern: str) -> str:
    """Without leading `./` and `/`, doubled and trailing slashes."""
    parts = [part for part in pattern.strip().split("/") if part not in {"", "."}]
    return "/".join(parts)


def has_glob(text: str) -> bool:
    return bool(_GLOB.search(text))


def expand_braces(pattern: str) -> list[str]:
    """`a.{js,css}` -> `a.js`, `a.css`; raises ValueError beyond 64 alternatives."""
    pending, done = [pattern], []
    while pending:
        text = pending.pop()
        match = _BRACES.search(text)
        if match is None:
            done.append(text)
        else:
            pending += [text[: match.start()] + item + text[match.end() :] for item in match[1].split(",")]
        if len(pending) + len(done) > MAX_ALTERNATIVES:
            raise ValueError(f"the pattern {pattern[:80]!r} has more than {MAX_ALTERNATIVES} alternatives")
    return done


def _compile(pattern: str) -> Iterator[_Segments]:
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern {pattern[:80]!r}... is longer than {MAX_PATTERN} characters")
    for text in expand_braces(pattern):
        segments: list[re.Pattern[str] | None] = []
        for part in normal(text).split("/"):
            if part == "**":
                if not segments or segments[-1] is not None:
                    segments.append(None)
            elif part:
                segments.append(re.compile(fnmatch.translate(part.replace("[^", "[!"))))
        if segments:
            yield tuple(segments)


def _matches(segments: _Segments, parts: Sequence[str]) -> bool:
    """Whether the pattern matches the path or a folder above it."""
    states = {0}
    for part in parts:
        following: set[int] = set()
        for state in _closure(states, segments):
            if state == len(segments):
                return True  # the pattern named a folder above
            segment = segments[state]
            if segment is None:
                following.add(state)
            elif segment.match(part):
                following.add(state + 1)
        states = following
        if not states:
            return False
    return len(segments) in _closure(states, segments)


def _closure(states: set[int], segments: _Segments) -> set[int]:
    """With the states that are reached by letting `**` match nothing."""
    result = set(states)
    for state in states:
        while state < len(segments) and segments[state] is None:
            state += 1  # noqa: PLW2901 - walks on from the loop's value
            result.add(state)
    return result


class Selection:
    """Which relative paths a list of patterns selects. Raises ValueError for a monstrous pattern."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._include = [item for text in patterns if not text.startswith("!") for item in _compile(text)]
        self._exclude = [item for text in patterns if text.startswith("!") for item in _compile(text[1:])]
        self._all = any(
            normal(text) in {"**/*", "**"} or text.strip() == "/"
            for text in patterns
            if not text.startswith("!")
        )

    def __contains__(self, path: str) -> bool:
        if self._all and not self._exclude:
            return True
        parts = path.split("/")
        if any(_matches(item, parts) for item in self._exclude):
            return False
        return self._all or any(_matches(item, parts) for item in self._include)
