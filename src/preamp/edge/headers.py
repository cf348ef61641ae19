"""Custom headers by path patterns (behaviour reference 7.6).

A leading `/` anchors; a pattern without `/` matches the last part of a path at any depth; `*` stays
within a segment, `**` crosses them, `{a,b}` is a choice; `**` and `**/*` match everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import re2

from preamp.model.custom_headers import HeaderRule

_EVERYTHING = frozenset({"**", "**/*", "/**", "/**/*"})


class HeaderBook:
    """The header rules of a release, compiled once."""

    def __init__(self, rules: Iterable[HeaderRule]) -> None:
        self._rules = [(_compile(rule.pattern), rule.headers) for rule in rules]

    def matching(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """(name, value) in the order of the rules, of each rule that matches one of `paths`.

        `paths` are decoded and begin with `/`: the path asked for and that of the file served.
        """
        known = [path.encode() for path in paths]
        for pattern, headers in self._rules:
            if pattern is None or any(pattern.fullmatch(path) for path in known):
                yield from headers


def _compile(pattern: str) -> re2._Regexp | None:
    """None matches everything."""
    if pattern in _EVERYTHING:
        return None
    text = pattern if pattern.startswith("/") else f"/{pattern}"
    if "/" not in pattern:
        text = f"/**{text}"
    options = re2.Options()
    options.log_errors = False
    # An engine without backtracking: a pattern such as `*a*a*a*b` costs no more than any other.
    return re2.compile(glob_to_regex(text).encode(), options)


def glob_to_regex(glob: str) -> str:
    """The expression that a whole path has to match."""
    pieces = re.findall(r"/\*\*/|/\*\*$|\*\*|[*?{},]|[^*?{},/]+|/", glob)
    pairs = _paired_braces(pieces)
    out: list[str] = []
    depth = 0
    for place, piece in enumerate(pieces):
        if piece == "/**/":
            out.append("/(?:.*/)?")
        elif piece == "/**":
            out.append("/.*")
        elif piece == "**":
            out.append(".*")
        elif piece == "*":
            out.append("[^/]*")
        elif piece == "?":
            out.append("[^/]")
        elif piece == "{" and place in pairs:
            out.append("(?:")
            depth += 1
        elif piece == "}" and place in pairs:
            out.append(")")
            depth -= 1
        elif piece == "," and depth:
            out.append("|")
        else:
            out.append(re2.escape(piece))
    return "(?s)" + "".join(out)


def _paired_braces(pieces: list[str]) -> set[int]:
    """Where the braces are that belong together; the others are ordinary characters."""
    paired: set[int] = set()
    opened: list[int] = []
    for place, piece in enumerate(pieces):
        if piece == "{":
            opened.append(place)
        elif piece == "}" and opened:
            paired |= {opened.pop(), place}
    return paired
