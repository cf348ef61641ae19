"""Request paths. A path is compared in one canonical spelling and decoded exactly once.

Files are found by looking the decoded path up in the manifest, never by asking a file system: `..`,
`//`, NUL or bytes that are not UTF-8 are names that no release has.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

SAFE = "-._~!$&'()*+,;=:@"
"""Characters of a path segment that stay as they are (RFC 3986, `pchar`)."""

_PLAIN = re.compile(r"[A-Za-z0-9/._~!$&'()*+,;=:@-]*")
_RESERVED = "-._~:/?#[]@!$&'()*+,;=%"


def canonical(path: str) -> str:
    """The same path with every segment percent-encoded in one way; `%2F` stays inside its segment."""
    if _PLAIN.fullmatch(path):
        return path
    return "/".join(quote(unquote_to_bytes(segment), safe=SAFE) for segment in path.split("/"))


def decoded(path: str) -> str | None:
    """The path a file would have, or None when it is not UTF-8."""
    if "%" not in path:
        return path
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return None


def as_location(url: str) -> str:
    """`url` as a `Location` may carry it: ASCII, without white space, never leaving the site by `//`."""
    if url.startswith("/"):
        url = "/" + url.lstrip("/\\")
    return quote(url, safe=_RESERVED)
