"""What a proxy changes of a request's and an answer's headers (RFC 9110, section 7.6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from preamp.edge.request import Request
from preamp.edge.upstream.connection import ResponseHead
from preamp.edge.upstream.origin import Origin

Pairs = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Written anew, or of no meaning to the next server.
_OURS = frozenset(
    {
        b"content-length",
        b"expect",
        b"forwarded",
        b"host",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
    }
)
PSEUDONYM = b"1.1 preamp"
MOST_HOPS = 8
"""Servers like us that a request may pass: more is a circle."""


def request_head(
    request: Request,
    pairs: Pairs,
    *,
    origin: Origin,
    target: str,
    keep_authorization: bool,
    websocket: bool,
    host: str | None = None,
) -> bytes:
    """The head as the upstream gets it. The body keeps its length, or stays chunked.

    `host` takes the place of the origin's name in the `Host` header.
    """
    via = [value for name, value in pairs if name == b"via"]
    out = [
        f"{request.method} {target} HTTP/1.1\r\nhost: {host or origin.authority}\r\n".encode("latin-1"),
        b"".join(b"%s: %s\r\n" % pair for pair in _end_to_end(pairs, keep_authorization)),
        b"x-forwarded-for: " + ", ".join(request.forwarded_for).encode("latin-1") + b"\r\n",
        b"x-forwarded-host: " + request.authority.encode("latin-1") + b"\r\n",
        b"x-forwarded-proto: " + request.scheme.encode() + b"\r\n",
        b"via: " + b", ".join([*via, PSEUDONYM]) + b"\r\n",
    ]
    length = [value for name, value in pairs if name == b"content-length"]
    if is_chunked(pairs):
        out.append(b"transfer-encoding: chunked\r\n")
    elif length:
        out.append(b"content-length: " + length[0] + b"\r\n")
    out.append(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n" if websocket else b"\r\n")
    return b"".join(out)


def _end_to_end(pairs: Pairs, keep_authorization: bool) -> Iterable[tuple[bytes, bytes]]:
    dropped = HOP_BY_HOP | _OURS | _named_by_connection(pairs)
    if not keep_authorization:
        dropped |= {b"authorization"}  # it is for us: the password of the site is not the upstream's business
    return (pair for pair in pairs if pair[0] not in dropped)


def response_headers(head: ResponseHead) -> list[tuple[bytes, bytes]]:
    """What goes on to the visitor; Date is written by ourselves."""
    dropped = HOP_BY_HOP | {b"date"} | _named_by_connection(head.headers)
    if not head.has_length or head.status in {204, 304}:
        dropped |= {b"content-length"}
    return [pair for pair in head.headers if pair[0] not in dropped]


def is_chunked(pairs: Pairs) -> bool:
    return any(name == b"transfer-encoding" for name, _ in pairs)


def has_body(pairs: Pairs) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 "))
        for name, value in pairs
    )


def wants_websocket(request: Request) -> bool:
    """Whether the visitor asks to go on with WebSocket; no other protocol is tunnelled."""
    tokens = {token.strip().lower() for token in request.headers.get("connection", "").split(",")}
    upgrade = request.headers.get("upgrade", "").strip().lower()
    return request.method == "GET" and upgrade == "websocket" and "upgrade" in tokens


def goes_in_circles(pairs: Pairs) -> bool:
    seen = b", ".join(value for name, value in pairs if name == b"via")
    return seen.count(PSEUDONYM) >= MOST_HOPS


def _named_by_connection(pairs: Pairs) -> frozenset[bytes]:
    return frozenset(
        token.strip().lower() for name, value in pairs if name == b"connection" for token in value.split(b",")
    )
