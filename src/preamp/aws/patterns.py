"""The model's `pattern` constraints, written for Java, as Python patterns with the same meaning.

Three differences matter. The service demands a full match, anchored or not (`d[a-z0-9]+` is the whole
app id). In Java `.` stops at five line terminators and `\\d`, `\\w`, `\\s` know ASCII only. And Java has
`\\p{L}`, which Python's `re` lacks, so it is spelled out as ranges of code points.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

_ANY_BUT_LINE_ENDS = "[^\\n\\r\\x85\\u2028\\u2029]"
# Planes 4 to 13 are unassigned, plane 14 has no letters, 15 and 16 are private: reading them is a waste.
_LAST_PLANE_WITH_LETTERS = min(sys.maxunicode, 0x3FFFF)


@cache
def compile_pattern(java: str) -> re.Pattern[str]:
    """A pattern to be used with `fullmatch` only.

    Raises ValueError for constructs that would silently mean something else.
    """
    return re.compile(_translate(java), re.ASCII)


def _translate(java: str) -> str:
    parts: list[str] = []
    in_class = False
    dot_matches_all = java.startswith("(?s)")
    position = 0
    while position < len(java):
        char = java[position]
        if char == "\\":
            if position + 1 == len(java):
                raise ValueError(f"pattern {java!r} ends in a backslash")
            if java[position + 1] in "pP":
                property_end = java.index("}", position)
                if java[position + 1] == "P" or not in_class:
                    raise ValueError(f"pattern {java!r}: only \\p inside a character class is translated")
                parts.append(_ranges(java[position + 3 : property_end]))
                position = property_end + 1
                continue
            parts.append(java[position : position + 2])
            position += 2
            continue
        if char == "[" and in_class:
            raise ValueError(f"pattern {java!r}: nested character classes are not translated")
        if char == "[":
            in_class = True
        elif char == "]":
            in_class = False
        parts.append(_ANY_BUT_LINE_ENDS if char == "." and not in_class and not dot_matches_all else char)
        position += 1
    return "".join(parts)


@cache
def _ranges(category: str) -> str:
    """All code points of a general category (`L`, `Nd`) as the inside of a character class."""
    found: list[list[int]] = []
    for code in range(_LAST_PLANE_WITH_LETTERS + 1):
        if not unicodedata.category(chr(code)).startswith(category):
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    if not found:
        raise ValueError(f"no character has the category {category!r}")
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)
