"""JavaScript-style expressions of rules on RE2, an engine that cannot run away.

RE2 has no look-ahead, which the documented rule for single-page applications uses. Look-aheads at the
top level of an alternative, as there, are evaluated here exactly: for each place of the path where what
precedes them ends, they and what follows are tried. That is quadratic in the path's length at worst, so
longer paths than `LONGEST` never match such an expression. Look-aheads inside groups, look-behinds and
back-references are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import re2

from preamp.edge.rules.errors import IgnoredRule

Matcher = Callable[[bytes], bool]
LONGEST = 1024
"""Bytes of a path that an expression with look-aheads is tried on: a millisecond at worst."""

_UNICODE = re.compile(r"\\u\{?([0-9A-Fa-f]{4,6})\}?")


@dataclass
class _Alternative:
    before: str = ""
    looks: list[tuple[bool, str]] | None = None
    """(wanted, expression), all at one place."""
    after: str = ""


def compile_regex(source: str) -> Matcher:
    """Whether a decoded path, in UTF-8, contains a match. Raises IgnoredRule."""
    source = _UNICODE.sub(r"\\x{\1}", source)
    alternatives = _alternatives(source)
    if all(item.looks is None for item in alternatives):
        pattern = _compile(source)
        return lambda path: pattern.search(path) is not None
    matchers = [_matcher(item) for item in alternatives]
    return lambda path: any(matcher(path) for matcher in matchers)


def _compile(source: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # groups are not used: only whether there is a match
    try:
        return re2.compile(source.encode(), options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise IgnoredRule(f"the regular expression cannot be used: {reason}") from error


def _matcher(item: _Alternative) -> Matcher:
    if item.looks is None:
        pattern = _compile(item.before)
        return lambda path: pattern.search(path) is not None
    before = _compile(f"(?:{item.before})$")
    looks = [(wanted, _compile(text)) for wanted, text in item.looks]
    after = _compile(item.after)

    def matches(path: bytes) -> bool:
        if len(path) > LONGEST:
            return False
        for place in range(len(path) + 1):
            if before.search(path[:place]) is None:
                continue
            rest = path[place:]
            if after.match(rest) is not None and all(
                (look.match(rest) is not None) is wanted for wanted, look in looks
            ):
                return True
        return False

    return matches


def _alternatives(source: str) -> list[_Alternative]:
    found = [_Alternative()]
    for piece, top in _pieces(source):
        current = found[-1]
        if top and piece == "|":
            found.append(_Alternative())
        elif top and piece.startswith(("(?=", "(?!")):
            if current.looks is None:
                current.looks = []
            elif current.after:
                raise IgnoredRule("the regular expression has look-aheads at several places")
            current.looks.append((piece[2] == "=", piece[3:-1]))
        elif current.looks is None:
            current.before += piece
        else:
            current.after += piece
    for item in found:
        if item.looks is not None:
            _check_sides(item)
    return found


def _check_sides(item: _Alternative) -> None:
    # Each side is tried on a slice of the path, where these would mean another place.
    if _has(item.before, ("$", r"\b", r"\B")) or _has(item.after, ("^", r"\b", r"\B")):
        raise IgnoredRule("the regular expression has an anchor on the far side of a look-ahead")
    if item.after[:1] in {"*", "+", "?", "{"}:
        raise IgnoredRule("the regular expression repeats a look-ahead")


def _has(text: str, pieces: tuple[str, ...]) -> bool:
    return any(piece in pieces for piece in re.findall(r"\\.|\[(?:\\.|[^\]\\])*\]|.", text, re.DOTALL))


def _pieces(source: str) -> list[tuple[str, bool]]:
    """Characters, escapes, classes, and whole groups when they are at the top level."""
    pieces: list[tuple[str, bool]] = []
    depth, start = 0, 0
    for match in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", source, re.DOTALL):
        piece = match[0]
        if piece == "(":
            if depth == 0:
                start = match.start()
            depth += 1
        elif piece == ")" and depth:
            depth -= 1
            if depth == 0:
                pieces.append((source[start : match.end()], True))
        elif depth == 0:
            pieces.append((piece, True))
    if depth:
        raise IgnoredRule("the regular expression has an open group")
    return pieces
