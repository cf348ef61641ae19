"""The URLs of incoming webhooks as an ASGI application: `POST ...?id=&token=&operation=startbuild`.

A body is allowed and means nothing: repository hosts, content systems and timers all send their own.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec

from preamp.api.services import Services
from preamp.api.webhooks import AWS_PATH, OPERATION, OWN_PATH
from preamp.hooks.incoming import WrongToken, find_proven, start_build
from preamp.model.audit import DONE
from preamp.model.caller import Scope as CallerScope
from preamp.model.errors import AmplifyError, DependentServiceFailure, NotFound
from preamp.model.jobs import Job
from preamp.model.webhooks import Webhook

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 25 * 1024 * 1024
"""Bytes; as much as the larger senders' own limit. Read and forgotten."""
_AWS_HOST = re.compile(rb"webhooks\.amplify\.[a-z0-9-]+\.amazonaws\.com(:\d+)?", re.IGNORECASE)
_log = logging.getLogger(__name__)


class _Refused(Exception):
    """`code` is for the audit log; senders look at the status."""

    def __init__(self, status: int, message: str, *, code: str = "BadRequestException") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


@dataclass(kw_only=True, slots=True)
class Call:
    """A call of a webhook's URL and what became of it."""

    webhook_id: str = ""
    """As the URL has it."""
    proven: tuple[CallerScope, Webhook] | None = None
    """Once id and token were found to be right."""
    job: Job | None = None
    result: str = "InternalFailureException"
    """`DONE` or the error's code."""


class HooksApp:
    """Answers 202 when a build was accepted: it is in the database then.

    `on_call` hears of every POST, refused ones too.
    """

    def __init__(self, services: Services, *, on_call: Callable[[Call], None]) -> None:
        self._services = services
        self._on_call = on_call
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
        if scope["method"] != "POST":
            await _answer(send, 405, {"message": "A webhook is called with POST."})
            return
        call = Call()
        try:
            job = await self._start(call, scope, receive)
        except _Refused as error:
            call.result = error.code
            await _answer(send, error.status, {"message": error.message})
        except Exception:  # noqa: BLE001 (whatever it is, the sender gets an answer and the log the reason)
            _log.exception("an incoming webhook failed")
            await _answer(send, 500, {"message": "An internal failure occurred; the log has the reason."})
        else:
            call.result = DONE
            await _answer(send, 202, {"jobId": str(job.number), "status": job.status})
        finally:
            self._on_call(call)

    async def _start(self, call: Call, scope: Scope, receive: Receive) -> Job:
        query = _read(scope["query_string"])
        call.webhook_id = query["id"]
        await _skip_body(receive)
        try:
            return await asyncio.to_thread(self._accept, call, query["token"])
        except WrongToken as error:
            raise _Refused(403, str(error), code="AccessDeniedException") from None
        except NotFound as error:
            raise _Refused(404, error.message, code=error.code) from error
        except DependentServiceFailure as error:
            raise _Refused(503, error.message, code=error.code) from error
        except AmplifyError as error:
            raise _Refused(400, error.message, code=error.code) from error

    def _accept(self, call: Call, token: str) -> Job:
        call.proven = find_proven(self._services, webhook_id=call.webhook_id, token=token)
        call.job = start_build(self._services, *call.proven)
        return call.job


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
