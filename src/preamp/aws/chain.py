"""A request as a chain of small named handlers, each filling in its part of one exchange.

A handler raises AmplifyError to answer with that error; the rest of the chain is then skipped. Observers
see every exchange when its answer is decided, failed ones too. To add a step, put a handler into the list.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from preamp.aws.authenticate import Identity
from preamp.aws.errors import ErrorCodes
from preamp.aws.http import HttpRequest, HttpResponse
from preamp.aws.parse import Document
from preamp.aws.router import Match
from preamp.model.caller import Caller
from preamp.model.errors import AmplifyError

log = logging.getLogger("preamp.aws")


@dataclass(kw_only=True, slots=True)
class Exchange:
    """One request on its way; handlers fill it from top to bottom."""

    request: HttpRequest
    request_id: str
    started_ns: int = field(default_factory=time.perf_counter_ns)
    match: Match | None = None
    identity: Identity | None = None
    caller: Caller | None = None
    document: Document | None = None
    input: Any = None
    output: Any = None
    error: AmplifyError | None = None
    """What the client is told. `None` with status 500: an unexpected exception, which is in the log."""
    response: HttpResponse | None = None
    elapsed_ns: int = 0
    """Until the answer was decided."""

    @property
    def operation(self) -> str | None:
        """The operation's name, once the route is known."""
        return self.match.operation.name if self.match else None


Handler = Callable[[Exchange], None]
Observer = Callable[[Exchange], None]


class Chain:
    """Runs handlers and turns what they raise into answers.

    Log lines do not repeat which request they are about: that is `model.work`'s current work.
    """

    def __init__(
        self, handlers: Sequence[Handler], *, errors: ErrorCodes, observers: Sequence[Observer]
    ) -> None:
        self._handlers = tuple(handlers)
        self._errors = errors
        self._observers = tuple(observers)

    def run(self, exchange: Exchange) -> None:
        """Run all handlers, or as many as it takes until one fails or sets the response."""
        for handler in self._handlers:
            try:
                try:
                    handler(exchange)
                except AmplifyError as error:
                    self.fail(exchange, error)
            except Exception:  # also an error code that nobody defined
                log.exception("%s failed", exchange.operation or "a request")
                exchange.response = self._errors.unexpected(request_id=exchange.request_id)
            if exchange.response is not None:
                return

    def fail(self, exchange: Exchange, error: AmplifyError) -> None:
        """Answer with `error`."""
        exchange.error = error
        exchange.response = self._errors.response(error, request_id=exchange.request_id)
        if exchange.response.status >= 500:  # not the client's doing
            log.warning("%s failed: %s: %s", exchange.operation or "a request", error.code, error.message)

    def finish(self, exchange: Exchange) -> HttpResponse:
        """The answer, after the observers saw it. An observer that fails is logged and changes nothing."""
        if exchange.response is None:
            log.error("no handler answered")
            exchange.response = self._errors.unexpected(request_id=exchange.request_id)
        exchange.elapsed_ns = time.perf_counter_ns() - exchange.started_ns
        for observer in self._observers:
            try:
                observer(exchange)
            except Exception:
                log.exception("an observer failed")
        return exchange.response
