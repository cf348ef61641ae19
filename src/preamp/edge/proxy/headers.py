"""What a proxy changes of a request's and an answer's headers (RFC 9110, section 7.6)."""

from __future__ import annotations

from collections.abc import Sequence

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
_DROPPED = HOP_BY_HOP | _OURS
_USUAL = frozenset({b"keep-alive", b"Keep-Alive", b"close"})
"""Values of `Connection` that name no header that would have to go."""
_NONE: frozenset[bytes] = frozenset()
_DROPPED_ANSWER = HOP_BY_HOP | {b"date"}
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
    out = [
        fixed_lines(request, origin=origin, target=target, host=host),
        passed_lines(pairs, keep_authorization),
        chain_line(", ".join(request.forwarded_for)),
    ]
    length = [value for name, value in pairs if name == b"content-length"]
    if is_chunked(pairs):
        out.append(b"transfer-encoding: chunked\r\n")
    elif length:
        out.append(b"content-length: " + length[0] + b"\r\n")
    out.append(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n" if websocket else b"\r\n")
    return b"".join(out)


def fixed_lines(request: Request, *, origin: Origin, target: str, host: str | None) -> bytes:
    """The part of the head that is the same for all requests to this address."""
    return (
        f"{request.method} {target} HTTP/1.1\r\nhost: {host or origin.authority}\r\n"
        f"x-forwarded-host: {request.authority}\r\nx-forwarded-proto: {request.scheme}\r\n"
    ).encode("latin-1")


def passed_lines(pairs: Pairs, keep_authorization: bool) -> bytes:
    """The headers that go on, and `Via`."""
    dropped = _DROPPED | named if (named := _named_by_connection(pairs)) else _DROPPED
    if not keep_authorization:
        dropped |= {b"authorization"}  # it is for us: the password of the site is not the upstream's business
    lines = [b"%b: %b\r\n" % pair for pair in pairs if pair[0] not in dropped]
    via = b"".join([value + b", " for name, value in pairs if name == b"via"])
    lines.append(b"via: %b%b\r\n" % (via, PSEUDONYM))
    return b"".join(lines)


def chain_line(chain: str) -> bytes:
    """`chain`: the visitor's address, after those that trusted proxies told."""
    return b"x-forwarded-for: %b\r\n" % chain.encode("latin-1")


def response_headers(head: ResponseHead) -> list[tuple[bytes, bytes]]:
    """What goes on to the visitor; Date is written by ourselves."""
    named = _named_by_connection(head.headers)
    dropped = _DROPPED_ANSWER | named if named else _DROPPED_ANSWER
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
    return sum([value.count(PSEUDONYM) for name, value in pairs if name == b"via"]) >= MOST_HOPS


def _named_by_connection(pairs: Pairs) -> frozenset[bytes]:
    values = [value for name, value in pairs if name == b"connection" and value not in _USUAL]
    if not values:
        return _NONE
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))
