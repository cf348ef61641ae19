"""The URLs of incoming webhooks as an ASGI application: `POST ...?id=&token=&operation=startbuild`.

A body is allowed and means nothing: repository hosts, content systems and timers all send their own.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from preamp.api.services import Services
from preamp.api.webhooks import AWS_PATH, OPERATION, OWN_PATH
from preamp.hooks.incoming import WrongToken, start_build
from preamp.model.errors import AmplifyError, DependentServiceFailure, NotFound

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 25 * 1024 * 1024
"""Bytes; as much as the larger senders' own limit. Read and forgotten."""
_AWS_HOST = re.compile(rb"webhooks\.amplify\.[a-z0-9-]+\.amazonaws\.com(:\d+)?", re.IGNORECASE)
_log = logging.getLogger(__name__)


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class HooksApp:
    """Answers 202 when a build was accepted: it is in the database then."""

    def __init__(self, services: Services) -> None:
        self._services = services
        host = services.settings.webhook_host
        self._own_host = host.lower().encode() if host else None

    def serves(self, scope: Scope) -> bool:
        """Whether the request is for a webhook's URL, by its path and, for AWS's path, its host."""
        path = scope.get("path", "")
        if path == OWN_PATH:
            return True
        if path != AWS_PATH:
            return False
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return host.lower() == self._own_host or _AWS_HOST.fullmatch(host) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._start(scope, receive)
        except _Refused as error:
            await _answer(send, error.status, {"message": error.message})
        except Exception:  # noqa: BLE001 (whatever it is, the sender gets an answer and the log the reason)
            _log.exception("an incoming webhook failed")
            await _answer(send, 500, {"message": "An internal failure occurred; the log has the reason."})
        else:
            await _answer(send, 202, answer)

    async def _start(self, scope: Scope, receive: Receive) -> Mapping[str, str]:
        if scope["method"] != "POST":
            raise _Refused(405, "A webhook is called with POST.")
        query = _read(scope["query_string"])
        await _skip_body(receive)
        try:
            job = await asyncio.to_thread(
                start_build, self._services, webhook_id=query["id"], token=query["token"]
            )
        except WrongToken as error:
            raise _Refused(403, str(error)) from None
        except NotFound as error:
            raise _Refused(404, error.message) from error
        except DependentServiceFailure as error:
            raise _Refused(503, error.message) from error
        except AmplifyError as error:
            raise _Refused(400, error.message) from error
        return {"jobId": str(job.number), "status": job.status}


def _read(raw: bytes) -> Mapping[str, str]:
    try:
        query = parse_qs(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise _Refused(400, "The query string has too many parameters.") from None
    for name in ("id", "token"):
        if len(query.get(name, [])) != 1:
            raise _Refused(400, f"The URL must have one {name} parameter.")
    # Older URLs of AWS lack the operation.
    if query.get("operation", [OPERATION]) != [OPERATION]:
        raise _Refused(400, f"The only operation is {OPERATION}.")
    return {"id": query["id"][0], "token": query["token"][0]}


async def _skip_body(receive: Receive) -> None:
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise _Refused(413, f"The body is larger than {MAX_BODY} bytes.")
        more = message["type"] == "http.request" and message.get("more_body", False)


async def _answer(send: Send, status: int, answer: Mapping[str, str]) -> None:
    data = msgspec.json.encode(answer)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 405:
        headers.append((b"allow", b"POST"))
    if status == 413:
        # The rest of the body is not read, so the connection cannot be used for another request.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
