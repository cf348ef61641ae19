"""Sources on other servers: only public addresses, a bounded size, a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urljoin

from preamp.edge.images.errors import ImageError
from preamp.edge.images.source import MOST_BYTES, Source, too_large
from preamp.edge.upstream.connection import ResponseHead, UpstreamConnection
from preamp.edge.upstream.errors import UpstreamError, UpstreamRefused, UpstreamTimeout
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool

MOST_REDIRECTS = 3
MOST_AT_ONCE = 32
"""Sources that one process fetches at a time; each may be held in memory."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Check = Callable[[str], tuple[Origin, str]]
"""Where a URL leads. Raises ImageError when it is not allowed."""


class Fetcher:
    """The pool's address policy decides about every connection; `seconds` is for a whole fetch."""

    def __init__(self, pool: Pool, *, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._open = 0

    async def fetch(self, url: str, check: Check) -> Source:
        """`check` is asked about the URL and about each redirect. Raises ImageError."""
        if self._open >= MOST_AT_ONCE:
            raise ImageError(503, "too many sources are being fetched already", retry_seconds=1)
        self._open += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url, check)
        except (TimeoutError, UpstreamTimeout):
            raise ImageError(504, "the source's server did not answer in time") from None
        except UpstreamRefused as error:
            raise ImageError(400, "url leads to an address that sites may not reach") from error
        except UpstreamError as error:
            raise ImageError(error.status, "the source's server gave no usable answer") from error
        finally:
            self._open -= 1

    async def _follow(self, url: str, check: Check) -> Source:
        for _ in range(MOST_REDIRECTS + 1):
            origin, target = check(url)
            found = await self._get(origin, target)
            if isinstance(found, Source):
                return found
            url = urljoin(url, found)
        raise ImageError(502, f"the source was redirected more than {MOST_REDIRECTS} times")

    async def _get(self, origin: Origin, target: str) -> Source | str:
        """The source, or where a redirect leads."""
        connection = await self._pool.acquire(origin, fresh=True)
        try:
            head = (
                f"GET {target} HTTP/1.1\r\nHost: {origin.authority}\r\nAccept: image/*,*/*;q=0.5\r\n"
                "Accept-Encoding: identity\r\nUser-Agent: preamp-images\r\nConnection: close\r\n\r\n"
            )
            connection.begin(head.encode(), head_only=False, upgrade=False)
            answer = await connection.head()
            location = _field(answer, b"location")
            if answer.status in _REDIRECTS and location:
                return location
            if _field(answer, b"content-encoding") not in {"", "identity"}:
                raise ImageError(502, "the source's server compressed the image, which was not asked for")
            body = await _read(connection, answer) if answer.status == 200 else b""
            return Source(
                status=answer.status, body=body, cache_control=_field(answer, b"cache-control") or None
            )
        finally:
            self._pool.release(origin, connection, reuse=False)


async def _read(connection: UpstreamConnection, head: ResponseHead) -> bytes:
    length = _field(head, b"content-length")
    if head.has_length and length.isdigit() and int(length) > MOST_BYTES:
        raise too_large(int(length))
    body = bytearray()
    while data := await connection.read():
        body += data
        if len(body) > MOST_BYTES:
            raise too_large()
    return bytes(body)


def _field(head: ResponseHead, name: bytes) -> str:
    return ", ".join(value.decode("latin-1") for key, value in head.headers if key == name)
