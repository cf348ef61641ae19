"""Drives an AwsApp in this thread, without sockets or an event loop, and assembles small ones."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from preamp.api.shapes import OPERATION_TYPES
from preamp.aws.asgi import AwsApp
from preamp.aws.authenticate import Identity
from preamp.aws.handlers import OperationBinding
from preamp.aws.service import Overrides, load_service
from preamp.model.keys import Key

SERVICE = load_service("amplify", overrides=Overrides(extra_enum_values={"Stage": ("NONE",)}))
KEY = Key(
    access_key_id="AKIDEXAMPLE",
    secret="s3cr3t",
    account="123456789012",
    name="ann",
    policy=None,
    enabled=True,
)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str | None:
        return self.headers.get("x-amzn-errortype")

    @property
    def message(self) -> str:
        return self.json["message"]


def http_scope(
    method: str, path: str | bytes, query: str | bytes = b"", headers: dict[str, str] | None = None
):
    raw_path = path.encode() if isinstance(path, str) else path
    raw_query = query.encode() if isinstance(query, str) else query
    pairs = {"host": "127.0.0.1:7732", **(headers or {})}
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": raw_path.decode("latin-1"),
        "raw_path": raw_path,
        "query_string": raw_query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()],
    }


async def exchange(app, scope, chunks: list[bytes]) -> Answer:
    waiting = list(chunks) or [b""]
    sent: list[dict[str, Any]] = []

    async def receive():
        if not waiting:
            return {"type": "http.disconnect"}
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    return Answer(
        status=start["status"],
        headers={name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in rest),
    )


def call(app, method, path, *, query=b"", headers=None, body: Any = b"", chunks=None) -> Answer:
    """One request; `body` may be bytes or something to send as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    scope, parts = http_scope(method, path, query, headers), chunks or [body]
    if all_inline(app):
        # Nothing is awaited that could wait, so no event loop is needed: thousands of cases stay cheap.
        try:
            exchange(app, scope, parts).send(None)
        except StopIteration as done:
            return done.value
    return asyncio.run(exchange(app, scope, parts))


def all_inline(app) -> bool:
    return app._inline == frozenset(SERVICE.operations)


def everyone_is_ann(request) -> Identity:
    return Identity(key=KEY, region="us-east-1")


def bindings(function, *, inline: bool = True, only: set[str] | None = None) -> dict[str, OperationBinding]:
    """Every operation done by `function(name)(caller, input)`."""
    return {
        name: OperationBinding(
            function=function(name), input_type=input_type, output_type=output_type, inline=inline
        )
        for name, (input_type, output_type) in OPERATION_TYPES.items()
        if only is None or name in only
    }


def make_app(function, *, inline: bool = True, only: set[str] | None = None, **more: Any) -> AwsApp:
    more.setdefault("authenticator", everyone_is_ann)
    return AwsApp(service=SERVICE, operations=bindings(function, inline=inline, only=only), **more)
