"""Percent-encoding, strict on the way in and as SigV4 wants it on the way out."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from preamp.model.errors import BadRequest

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def decode(raw: bytes, *, where: str) -> str:
    """The text of a raw path segment or query part.

    Raises BadRequest, naming `where`, for a `%` without two hexadecimal digits and for what is not UTF-8.
    """
    if _BROKEN.search(raw):
        raise BadRequest(f"The {where} is not valid percent-encoding: a % must be followed by two hex digits")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"The {where} is not valid UTF-8 after percent-decoding") from None


def decode_query(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The pairs of a raw query string in their order; a part without `=` has the value "".

    Raises BadRequest as `decode` does.
    """
    if not raw:
        return ()
    pairs = []
    for part in raw.replace(b"+", b"%20").split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((decode(name, where="query string"), decode(value, where="query string")))
    return tuple(pairs)


def encode(text: str | bytes, *, keep_slash: bool = False) -> str:
    """Everything but the unreserved characters of RFC 3986 becomes `%XX`."""
    return quote(text, safe="/~" if keep_slash else "~")
