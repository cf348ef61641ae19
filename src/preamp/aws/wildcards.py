"""`*` and `?` as IAM means them: any characters, also `/` and `:`; nothing else is special."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether the whole `text` matches."""
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
    # Between stars the earliest match is as good as any later one, so it is atomic: no backtracking, and
    # the time stays linear for patterns such as a*a*a*a*b.
    first, *rest = [
        "".join("." if char == "?" else re.escape(char) for char in part) for part in pattern.split("*")
    ]
    if not rest:
        return re.compile(first, flags)
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", flags)
