"""The wire layer as a raw ASGI 3 application: bytes in, chain, bytes out.

Operations are plain synchronous functions. Everything after the body has arrived, from the signature to the
encoded answer, runs in one go: in a pool of threads, or on the loop for operations bound as inline.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from preamp.aws.authenticate import Authenticator
from preamp.aws.authorise import Authoriser
from preamp.aws.chain import Chain, Exchange, Observer
from preamp.aws.errors import ErrorCodes, WireError
from preamp.aws.handlers import OperationBinding, processing, routing
from preamp.aws.http import Headers, HttpRequest, HttpResponse
from preamp.aws.router import Router
from preamp.aws.service import Service
from preamp.model.work import working_on

AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
MIB = 1024 * 1024
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of what one process takes on."""

    max_body_bytes: int = 6 * MIB
    threads: int = 16
    """Operations that run at once; others wait in a queue."""


class _ClientGone(Exception):
    """The connection closed before the body was complete; nobody is left to answer."""


class AwsApp:
    """One AWS service on HTTP.

    Serves `http` scopes of a server that gives `raw_path` (uvicorn does), and `lifespan`. `endpoint` is the
    URL under which clients reach the service, for presigned URLs; `None`: what the client's Host says.
    """

    def __init__(
        self,
        *,
        service: Service,
        operations: Mapping[str, OperationBinding],
        authenticator: Authenticator,
        authoriser: Authoriser | None = None,
        endpoint: str | None = None,
        limits: Limits | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        errors = ErrorCodes(service)
        self._limits = limits or Limits()
        self._inline = frozenset(name for name, binding in operations.items() if binding.inline)
        self._head = Chain(routing(Router(service)), errors=errors, observers=observers)
        self._tail = Chain(
            processing(
                service,
                operations,
                authenticator=authenticator,
                authoriser=authoriser,
                endpoint=endpoint.rstrip("/") if endpoint else None,
            ),
            errors=errors,
            observers=observers,
        )
        self._pool = ThreadPoolExecutor(self._limits.threads, thread_name_prefix="operation")

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            # Closing before accepting is how ASGI refuses a web socket: the client gets a 403.
            await send({"type": "websocket.close", "code": 1000})

    def close(self) -> None:
        """Wait for running operations and end the threads."""
        self._pool.shutdown(wait=True)

    async def _http(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        exchange = Exchange(
            request=HttpRequest(
                method=scope["method"],
                scheme=scope.get("scheme", "http"),
                raw_path=scope["raw_path"],
                raw_query=scope.get("query_string", b""),
                headers=Headers(scope["headers"]),
            ),
            request_id=str(uuid.uuid4()),
        )
        with working_on(request_id=exchange.request_id):
            self._head.run(exchange)
            with working_on(**_facts(exchange)):
                response = await self._respond(exchange, receive)
        if response is not None:
            await _send(response, head_only=exchange.request.method == "HEAD", send=send)

    async def _respond(self, exchange: Exchange, receive: Receive) -> HttpResponse | None:
        """None: nobody is left to answer."""
        if exchange.response is None:
            try:
                exchange.request = replace(exchange.request, body=await self._body(exchange.request, receive))
            except _ClientGone:
                return None
            except WireError as error:
                self._tail.fail(exchange, error)
            else:
                await self._process(exchange)
        return self._tail.finish(exchange)

    async def _process(self, exchange: Exchange) -> None:
        if exchange.operation in self._inline:
            self._tail.run(exchange)
        else:
            run = copy_context().run
            await asyncio.get_running_loop().run_in_executor(self._pool, run, self._tail.run, exchange)

    async def _body(self, request: HttpRequest, receive: Receive) -> bytes:
        limit = self._limits.max_body_bytes
        too_large = WireError("RequestEntityTooLargeException", f"The body is larger than {limit} bytes")
        stated = request.headers.get("content-length") or "0"
        if stated.isascii() and stated.isdigit() and int(stated[:20]) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.close)
                await send({"type": "lifespan.shutdown.complete"})
                return


def _facts(exchange: Exchange) -> dict[str, str]:
    """What is logged of a request beside its id: the operation and what its path names (`app_id`, ...)."""
    if exchange.match is None:
        return {}
    labels = {_CAPITAL.sub("_", name).lower(): value for name, value in exchange.match.labels.items()}
    return {"operation": exchange.match.operation.name, **labels}


async def _send(response: HttpResponse, *, head_only: bool, send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(response.body)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()),
    ]
    if response.status == 413:
        # The rest of the body is not read, so the connection cannot be used for another request.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else response.body})
