"""GET of a step's log, also while it grows: `Range: bytes=N-` gives what is new."""

from __future__ import annotations

import asyncio
import os

from preamp.aws.presign import FileClaim
from preamp.files.http import FileError, Scope, Send, body, range_of, start
from preamp.files.links import read_log
from preamp.store.logs import LogFolder

_CHUNK = 1 << 18


async def send_log(logs: LogFolder, claim: FileClaim, scope: Scope, send: Send) -> None:
    """Raises FileError 404 when the log is gone, 416 when the range has nothing yet."""
    path = logs.path(*read_log(claim))
    try:
        fd = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileError(404, "This log was deleted, or its step has not begun") from None
    try:
        size = os.fstat(fd).st_size
        wanted = range_of(scope, size)
        first, end = wanted or (0, size)
        headers = {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(end - first),
            "accept-ranges": "bytes",
            "cache-control": "no-store",
        }
        if wanted:
            headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
        await start(send, 206 if wanted else 200, headers)
        position = first
        while position < end and scope["method"] != "HEAD":
            data = await asyncio.to_thread(os.pread, fd, min(_CHUNK, end - position), position)
            if not data:
                raise OSError(f"{path} shrank while it was read")
            position += len(data)
            await body(send, data, more=True)
        await body(send, b"")
    finally:
        os.close(fd)
