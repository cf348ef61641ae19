"""Endpoints of Preamp's own below `/_preamp/`: JSON, signed like the API, parameters in the query."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from preamp.aws.authenticate import Authenticator, Identity
from preamp.aws.authorise import Authoriser
from preamp.aws.errors import WireError
from preamp.aws.http import Headers, HttpRequest
from preamp.files.http import FileError, Receive, Scope, Send, answer_json, answer_text
from preamp.model.errors import AmplifyError, DependentServiceFailure, NotFound

log = logging.getLogger(__name__)
MAX_BODY = 4096
"""Nothing is read from bodies, but a signature covers them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call whose signature is good."""

    identity: Identity
    query: Mapping[str, str]
    authoriser: Authoriser

    def get(self, name: str) -> str:
        """A parameter that must be there. Raises FileError 400."""
        value = self.query.get(name)
        if not value:
            raise FileError(400, f"the parameter {name!r} is missing")
        return value

    def number(self, name: str, *, default: int | None = None) -> int | None:
        """A parameter that is a number from 1 on. Raises FileError 400."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and 0 < len(text) <= 10 and int(text) > 0):
            raise FileError(400, f"the parameter {name!r} has to be a number from 1 on, not {text[:40]!r}")
        return int(text)

    def check(self, operation: str, **members: str) -> None:
        """What an operation of the API with these members would need. Raises WireError."""
        self.authoriser.check(self.identity, operation=operation, request=SimpleNamespace(**members))


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """`answer` runs in a thread; what it returns is sent as JSON. POST is for what changes something."""

    method: str
    answer: Callable[[Call], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a call that was to change something."""

    path: str
    identity: Identity | None
    query: Mapping[str, str]
    status: int
    """As HTTP has it."""
    error: str | None
    """Its code."""


class OwnApi:
    """Answers the endpoints by path; `on_change` hears of every POST, refused ones too."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        authenticator: Authenticator,
        authoriser: Authoriser,
        on_change: Callable[[Outcome], None],
    ) -> None:
        self._endpoints = endpoints
        self._authenticator = authenticator
        self._authoriser = authoriser
        self._on_change = on_change

    def serves(self, path: str) -> bool:
        return path in self._endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints[scope["path"]]
        try:
            if scope["method"] != endpoint.method:
                raise FileError(405, f"Only {endpoint.method}", {"allow": endpoint.method})
            sent = await _read(receive)
            found = await asyncio.to_thread(self._answer, endpoint, scope, sent)
        except FileError as error:
            await answer_text(send, error.status, error.message, error.headers)
            return
        await answer_json(send, found)

    def _answer(self, endpoint: Endpoint, scope: Scope, sent: bytes) -> Any:
        """Raises FileError, whatever is wrong."""
        query = tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        identity: Identity | None = None
        status, code = 500, "InternalFailureException"
        try:
            identity = self._authenticator(
                HttpRequest(
                    method=scope["method"],
                    scheme=scope.get("scheme", "http"),
                    raw_path=scope["raw_path"],
                    raw_query=scope["query_string"],
                    headers=Headers(scope["headers"]),
                    query=query,
                    body=sent,
                )
            )
            call = Call(identity=identity, query=dict(reversed(query)), authoriser=self._authoriser)
            found = endpoint.answer(call)
            status, code = 200, ""
        except WireError as error:
            status, code = 403, error.code
            raise FileError(403, f"{error.code}: {error.message}") from error
        except AmplifyError as error:
            status, code = _status(error), error.code
            raise FileError(status, error.message) from error
        except FileError as error:
            status, code = error.status, "BadRequestException"
            raise
        finally:
            if endpoint.method != "GET":
                self._on_change(
                    Outcome(
                        path=scope["path"],
                        identity=identity,
                        query=dict(reversed(query)),
                        status=status,
                        error=code or None,
                    )
                )
        return found


def _status(error: AmplifyError) -> int:
    if isinstance(error, NotFound):
        return 404
    return 503 if isinstance(error, DependentServiceFailure) else 400


async def _read(receive: Receive) -> bytes:
    sent = bytearray()
    more = True
    while more:
        message = await receive()
        sent += message.get("body", b"")
        if len(sent) > MAX_BODY:
            raise FileError(413, f"The body is larger than {MAX_BODY} bytes", {"connection": "close"})
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(sent)
