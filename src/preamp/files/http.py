"""The little of HTTP that these endpoints need, as plain ASGI."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")


class FileError(Exception):
    """An answer that is not a success; the text is its body."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that lower-case name."""
    return next((value for key, value in scope["headers"] if key == name), None)


async def start(send: Send, status: int, headers: dict[str, str]) -> None:
    fields = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def body(send: Send, data: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def answer(send: Send, status: int, data: bytes, headers: dict[str, str]) -> None:
    """A whole answer, which nobody is to keep."""
    more = {"content-length": str(len(data)), "cache-control": "no-store"}
    await start(send, status, {**more, **headers})
    await body(send, data)


async def answer_text(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    data = f"{text}\n".encode() if text else b""
    await answer(send, status, data, {"content-type": "text/plain; charset=utf-8", **(headers or {})})


async def answer_json(send: Send, found: Any) -> None:
    await answer(send, 200, msgspec.json.encode(found), {"content-type": "application/json"})


def range_of(scope: Scope, size: int) -> tuple[int, int] | None:
    """(first, end) of a single byte range, None when all is wanted.

    Raises FileError 416 when the range begins behind the end: a reader of a growing log is up to date.
    Several ranges and other units are ignored, as RFC 9110 allows.
    """
    value = header(scope, b"range")
    found = _RANGE.fullmatch(value) if value else None
    if found is None or found.group(1) == found.group(2) == b"":
        return None
    first_text, last_text = found.groups()
    if not first_text:
        first, end = max(0, size - int(last_text)), size
    else:
        first = int(first_text)
        end = min(size, int(last_text) + 1) if last_text else size
    if first >= end:
        raise FileError(416, "Nothing in this range", {"content-range": f"bytes */{size}"})
    return first, end
