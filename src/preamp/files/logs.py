"""GET of a step's log, also while it grows: `Range: bytes=N-` gives what is new."""

from __future__ import annotations

import asyncio

from preamp.aws.presign import FileClaim
from preamp.files.http import FileError, Scope, Send, body, range_of, start
from preamp.files.links import read_log
from preamp.store.logs import LogStore

_CHUNK = 1 << 18


async def send_log(logs: LogStore, claim: FileClaim, scope: Scope, send: Send) -> None:
    """Raises FileError 404 when the log is gone, 416 when the range has nothing yet."""
    try:
        log = await asyncio.to_thread(logs.reader, *read_log(claim))
    except FileNotFoundError:
        raise FileError(404, "This log was deleted, or its step has not begun") from None
    try:
        wanted = range_of(scope, log.size)
        first, end = wanted or (0, log.size)
        headers = {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(end - first),
            "accept-ranges": "bytes",
            "cache-control": "no-store",
        }
        if wanted:
            headers["content-range"] = f"bytes {first}-{end - 1}/{log.size}"
        await start(send, 206 if wanted else 200, headers)
        position = first
        while position < end and scope["method"] != "HEAD":
            data = await asyncio.to_thread(log.read, position, min(_CHUNK, end - position))
            if not data:
                raise OSError("a log shrank while it was read")
            position += len(data)
            await body(send, data, more=True)
        await body(send, b"")
    finally:
        log.close()
