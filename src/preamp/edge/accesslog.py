"""What the access log says of an answer that the application gave."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

from preamp.edge.answer import Answer
from preamp.edge.request import Request
from preamp.edge.sending import Message, Send
from preamp.store.access_logs import AccessLog, RepeatedLine

RECEIVED = "preamp.received"
"""In the ASGI scope: bytes of the request so far, as the protocol counted them."""
_DATE = len(b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
_FRAME = len(b"HTTP/1.1 200 \r\n\r\n")


class Watched:
    """An ASGI `send` that remembers what went through."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = time.perf_counter()
        self.status = 0
        self.sent = 0
        self.first_byte = 0.0
        self.content_type = ""
        self.content_length: int | None = None
        self.range: tuple[int, int] | None = None

    async def __call__(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.first_byte = time.perf_counter() - self._started
            self.begin(message["status"], message.get("headers", []))
        else:
            self.sent += len(message.get("body", b""))

    def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head of the answer was sent."""
        self.status = status
        self.sent = head_size(headers)
        for name, value in headers:
            if name == b"content-type":
                self.content_type = value.decode("latin-1")
            elif name == b"content-length":
                self.content_length = int(value)
            elif name == b"content-range" and value.startswith(b"bytes ") and b"-" in value:
                start, _, end = value[6:].partition(b"/")[0].partition(b"-")
                self.range = (int(start), int(end))

    @property
    def taken(self) -> float:
        return time.perf_counter() - self._started


def head_size(headers: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...]) -> int:
    return _FRAME + _DATE + sum(len(name) + len(value) + 4 for name, value in headers)


def write_line(
    log: AccessLog,
    *,
    app_id: str,
    name: str,
    request: Request,
    scope: MutableMapping[str, Any],
    watched: Watched,
    forwarded: bool,
) -> None:
    """One line for the answer that `watched` saw. `forwarded`: it came from another server."""
    headers = request.headers
    peer = scope.get("client")
    log.add(
        app_id,
        name,
        host=request.authority,
        method=request.method,
        path=request.raw_path,
        query=request.query,
        status=watched.status,
        result=result_of(watched.status, forwarded),
        sent=watched.sent,
        client=request.address or "-",
        port=peer[1] if peer else 0,
        protocol="ws" if watched.status == 101 else request.scheme,
        version=f"HTTP/{scope['http_version']}",
        received=scope.get(RECEIVED, 0),
        taken=watched.taken,
        first_byte=watched.first_byte,
        referer=headers.get("referer", ""),
        user_agent=headers.get("user-agent", ""),
        cookie=headers.get("cookie", ""),
        forwarded_for=headers.get("x-forwarded-for", ""),
        content_type=watched.content_type,
        content_length=watched.content_length,
        range_start=watched.range[0] if watched.range else None,
        range_end=watched.range[1] if watched.range else None,
    )


def repeated_line(
    log: AccessLog, *, app_id: str, name: str, request: Request, answer: Answer, watched: Watched
) -> RepeatedLine:
    """For the fast lane, which sends the same answer again."""
    return log.repeated(
        app_id,
        name,
        host=request.authority,
        method=request.method,
        path=request.raw_path,
        query=request.query,
        status=answer.status,
        result=result_of(answer.status, forwarded=False),
        sent=head_size(answer.headers) + answer.length,
        content_type=watched.content_type,
        content_length=watched.content_length,
        protocol=request.scheme,
    )


def result_of(status: int, forwarded: bool) -> str:
    """`x-edge-result-type`; status 0: nothing was sent."""
    if status >= 400 or status == 0:
        return "Error"
    return "Miss" if forwarded else "Hit"
