"""GET of an access log as CSV, put together while it is sent."""

from __future__ import annotations

import asyncio

from preamp.aws.presign import FileClaim
from preamp.files.http import Scope, Send, body, start
from preamp.files.links import read_access_log
from preamp.store.access_logs import AccessLogs


async def send_access_log(access_logs: AccessLogs, claim: FileClaim, scope: Scope, send: Send) -> None:
    """A domain without requests in the time asked for has the line of column names alone."""
    wanted = read_access_log(claim)
    await start(
        send,
        200,
        {
            "content-type": "text/csv; charset=utf-8",
            "content-disposition": f'attachment; filename="{wanted.domain.replace("*", "_")}.csv"',
            "cache-control": "no-store",
        },
    )
    if scope["method"] != "HEAD":
        chunks = access_logs.csv(wanted.app_id, wanted.domain, wanted.window)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            await body(send, chunk, more=True)
    await body(send, b"")
