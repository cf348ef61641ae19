"""Sending an answer through ASGI: small bodies whole, large ones piece by piece with flat memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from preamp.edge.answer import Answer, Span
from preamp.model.errors import DependentServiceFailure
from preamp.store.blobs import BlobStore

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WHOLE = 4 * 1024 * 1024
"""Bytes up to which a body is read at once; more is read in pieces while it is sent."""
PIECE = 256 * 1024


class BlobUnreadable(Exception):
    """A file of the release cannot be read; nothing was sent yet."""


class OpenBody:
    """The blobs of a body, opened before the head of the answer goes out."""

    def __init__(self, blobs: BlobStore, parts: tuple[bytes | Span, ...]) -> None:
        self._parts = parts
        self._files: dict[str, int] = {}
        try:
            for part in parts:
                if isinstance(part, Span) and part.blob not in self._files:
                    self._files[part.blob] = blobs.descriptor(part.blob)
        except (OSError, DependentServiceFailure) as error:
            self.close()
            raise BlobUnreadable(str(error)) from error

    def read_all(self) -> bytes:
        """Raises BlobUnreadable when the disk fails or a blob was cut."""
        return b"".join(
            part if isinstance(part, bytes) else self.read(part, 0, part.length) for part in self._parts
        )

    def read(self, span: Span, start: int, length: int) -> bytes:
        """`length` bytes from `start` within the span."""
        try:
            data = os.pread(self._files[span.blob], length, span.offset + start)
        except OSError as error:
            raise BlobUnreadable(str(error)) from error
        if len(data) != length:
            raise BlobUnreadable(f"blob {span.blob} is shorter than its manifest says")
        return data

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()


async def read_whole(blobs: BlobStore, answer: Answer) -> bytes:
    """The body in one piece. Raises BlobUnreadable."""
    if all(isinstance(part, bytes) for part in answer.body):
        return b"".join(part for part in answer.body if isinstance(part, bytes))

    def read() -> bytes:
        body = OpenBody(blobs, answer.body)
        try:
            return body.read_all()
        finally:
            body.close()

    return await asyncio.to_thread(read)


async def send_whole(send: Send, answer: Answer, body: bytes) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": body})


async def send_in_pieces(blobs: BlobStore, receive: Receive, send: Send, answer: Answer) -> None:
    """Raises BlobUnreadable before the head is sent; later trouble closes the connection."""
    body = await asyncio.to_thread(OpenBody, blobs, answer.body)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
        for part in answer.body:
            if isinstance(part, bytes):
                await send({"type": "http.response.body", "body": part, "more_body": True})
                continue
            for start in range(0, part.length, PIECE):
                if gone.done():
                    return
                length = min(PIECE, part.length - start)
                data = await asyncio.to_thread(body.read, part, start, length)
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        body.close()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
