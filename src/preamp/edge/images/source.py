"""A source: the bytes that an image is made from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from preamp.edge.images.errors import ImageError

MOST_BYTES = 11_000_000
"""Amplify's limit for a source."""

_SECONDS = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?([0-9]{1,10})', re.IGNORECASE)
_NEVER = re.compile(r"\b(no-store|no-cache|private)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """An answer to a GET of the source."""

    status: int
    body: bytes
    """At most MOST_BYTES; nothing that counts unless the status is 200."""
    cache_control: str | None = None
    """The header."""
    digest: str | None = None
    """SHA-256 of the body, lower-case hexadecimal; None: it has to be counted."""


def too_large(size: int | None = None) -> ImageError:
    """The error for a source above MOST_BYTES."""
    found = f"has {size} bytes" if size else "is too large"
    return ImageError(413, f"the source {found}: at most {MOST_BYTES} are allowed")


def usable(source: Source) -> bytes:
    """The body. Raises ImageError when there is none to work with."""
    if source.status in {404, 410}:
        raise ImageError(404, "there is no source at this url")
    if source.status != 200:
        raise ImageError(502, f"the source was answered with {source.status}")
    if len(source.body) > MOST_BYTES:
        raise too_large(len(source.body))
    return source.body


def fresh_seconds(cache_control: str | None) -> int:
    """How long a source may be taken for unchanged; 0 when its server does not say."""
    if cache_control is None or _NEVER.search(cache_control):
        return 0
    found = _SECONDS.search(cache_control)
    return min(int(found[1]), 2**31 - 1) if found else 0
