"""What the fast lane looks at in the head of a request."""

from __future__ import annotations

from collections.abc import Hashable

from preamp.edge.encodings import preference
from preamp.edge.fastlane.lane import Lane

PLAIN = frozenset({b"GET", b"HEAD"})
LONGEST_TAG_LIST = 128

# Headers that change an answer in a way the memo's key does not tell, or that come with a body.
_SLOW = (
    b"authorization",
    b"content-length",
    b"expect",
    b"if-match",
    b"if-modified-since",
    b"if-range",
    b"if-unmodified-since",
    b"range",
    b"transfer-encoding",
    b"upgrade",
    b"x-amplify-dpl",
)
# The others that matter, by their place in what `key_of` has seen.
_TAKEN = (
    b"host",
    b"accept-encoding",
    b"if-none-match",
    b"connection",
    b"x-forwarded-proto",
    b"cookie",
    b"referer",
    b"user-agent",
    b"x-forwarded-for",
)
_PLACES = {name: place for place, name in enumerate(_TAKEN)} | dict.fromkeys(_SLOW, -1)
_NO_ENCODING = preference(None)

Seen = list[bytes | None]
"""Values of the headers that matter, each in its place."""
NOTHING: Seen = [None] * len(_TAKEN)


def key_of(
    method: bytes, url: bytes, headers: list[tuple[bytes, bytes]], lane: Lane, *, trusted: bool
) -> tuple[Hashable | None, Seen]:
    """The memo's key of a request in HTTP/1.1, and what was seen; None where only the application answers.

    `trusted`: whether it comes from a proxy whose headers are believed.
    """
    seen = NOTHING.copy()
    places = _PLACES
    for name, value in headers:
        place = places.get(name)
        if place is None:
            continue
        if place < 0 or seen[place] is not None:
            return None, seen
        seen[place] = value
    host, encodings, tags, connection, proto, cookie, *_ = seen
    if connection is not None and connection.lower() != b"keep-alive":
        return None, seen
    if host is None or url[:1] != b"/" or (tags is not None and len(tags) > LONGEST_TAG_LIST):
        return None, seen
    deployment = None
    if cookie is not None and b"_dpl=" in cookie:
        if cookie.count(b"_dpl=") > 1:
            return None, seen
        place = cookie.index(b"_dpl=")
        deployment = cookie[cookie.rfind(b";", 0, place) + 1 : cookie.find(b";", place) % (len(cookie) + 1)]
    chosen = _NO_ENCODING if encodings is None else lane.encoding_class(encodings)
    told = proto if trusted else None
    return (method, host, url, chosen, tags, told, deployment), seen
