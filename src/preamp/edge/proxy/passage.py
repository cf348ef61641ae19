"""The short way of a plain request that is forwarded again and again: no task, no decision, one write.

What leads a request to another server is decided by the application, which leaves a `Route` in the memo.
While that is right, a request for which a connection to the server rests in the pool goes there at once, and
an answer that is in memory as a whole goes back at once. With anything else - no connection, a slow, large or
broken answer - the application takes over, the request under way included: one place knows what to do then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from preamp.edge.accesslog import RECEIVED
from preamp.edge.proxy.forward import BEGUN, Begun, Job
from preamp.edge.proxy.headers import chain_line, fixed_lines, goes_in_circles, passed_lines, response_headers
from preamp.edge.proxy.known import Answers, Known, Pairs, Told
from preamp.edge.proxy.visitor import CONNECTION, VisitorConnection
from preamp.edge.upstream.connection import UpstreamConnection
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool
from preamp.store.access_logs import Repetition

PATIENCE_SECONDS = 0.25
"""After so long without an answer the application waits for it."""
OVERHEAD = 8192
"""Bytes that a route costs, roughly."""
Scope = MutableMapping[str, Any]
Entry = Callable[[], tuple[Origin, Callable[[], None]] | None]


class Visitor(VisitorConnection, Protocol):
    """What a passage needs of the request's cycle."""

    def start(self, status: int, headers: Pairs) -> None:
        """The head of the answer; it leaves with the first piece of the body."""
        ...

    def write(self, body: bytes, *, more: bool) -> None:
        """A piece of the body."""
        ...

    def send_whole(self, status: int, lines: bytes, body: bytes) -> None:
        """A whole answer to GET with a length; `lines` are its headers, which were sent before by `start`."""
        ...

    def hand_over(self) -> None:
        """Let the application answer."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How requests with one key of the memo are forwarded."""

    job: Job
    """Of one of them: what the key does not tell is not looked at."""
    pool: Pool
    enter: Entry
    """The server, and what to call after its answer; None: the application has to find one."""
    passes: Callable[[int], bool] = lambda _status: True
    """Whether an answer with a status is for the visitor."""


@dataclass(kw_only=True, slots=True)
class Route:
    """An entry of the memo."""

    way: Way
    answers: Answers
    used_at: float = field(default_factory=time.monotonic)
    is_kept: bool = True
    """Until the memo drops it: then no request goes by it any more."""
    known: Known | None = None
    """The last answer that the next one may be compared with."""
    lines: bytes = field(init=False)
    """Of the request's head, those that are the same each time."""

    def __post_init__(self) -> None:
        job = self.way.job
        self.lines = fixed_lines(job.request, origin=job.origin, target=job.target, host=job.host)

    @property
    def size(self) -> int:
        return OVERHEAD + 5 * len(self.lines)  # the URL is in the key and in the request, too

    def drop(self) -> None:
        self.is_kept = False

    def prepare(self, scope: dict[str, Any], told: Told) -> PreparedRequest | None:
        """None: the application has to say something about this one."""
        if goes_in_circles(scope["headers"]):
            return None
        lines = passed_lines(scope["headers"], self.way.job.keep_authorization)
        return PreparedRequest(self, scope, self.lines + lines, told)


class PreparedRequest:
    """What requests of the same bytes become, from whatever visitor."""

    __slots__ = ("_known", "_line", "_lines", "_told", "route", "scope")

    def __init__(self, route: Route, scope: dict[str, Any], lines: bytes, told: Told) -> None:
        self.route = route
        self.scope = scope
        """Each request gets a copy."""
        self._lines = lines
        self._told = told
        self._known: Known | None = None
        self._line: Repetition | None = None

    def begin(self, visitor: Visitor, scope: Scope, address: str, port: str, chain: str) -> bool:
        """Send it on its way; False: the application has to. `chain` becomes `X-Forwarded-For`."""
        way = self.route.way
        entered = way.enter()
        if entered is None:
            return False
        origin, leave = entered
        connection = way.pool.take(origin)
        if connection is None:
            leave()
            return False
        passage = Passage(self, visitor, scope, address, port, connection, origin, leave)
        passage.begin(b"%b%b\r\n" % (self._lines, chain_line(chain)))
        return True

    @property
    def overhead(self) -> int:
        """Bytes that one costs besides its own, roughly."""
        return 4096 + 150 * len(self.scope["headers"])

    def line(self, known: Known) -> Repetition | None:
        """Of the access log, for this request with that answer."""
        if self._known is not known:
            self._known = known
            self._line = self.route.answers.line(known, self._told, received=self.scope[RECEIVED])
        return self._line


class Passage:
    """One request under way."""

    __slots__ = (
        "_address",
        "_begun_at",
        "_connection",
        "_data",
        "_leave",
        "_origin",
        "_port",
        "_prepared",
        "_route",
        "_scope",
        "_visitor",
    )

    def __init__(
        self,
        prepared: PreparedRequest,
        visitor: Visitor,
        scope: Scope,
        address: str,
        port: str,
        connection: UpstreamConnection,
        origin: Origin,
        leave: Callable[[], None],
    ) -> None:
        self._prepared = prepared
        self._route = prepared.route
        self._visitor = visitor
        self._scope = scope
        self._address = address
        self._port = port
        self._connection = connection
        self._origin = origin
        self._leave = leave
        self._data = b""

    def begin(self, head: bytes) -> None:
        connection = self._connection
        self._begun_at = self._route.used_at = time.monotonic()
        self._route.way.pool.deadlines.add(self, PATIENCE_SECONDS, self._hand_over)
        self._visitor.on_leaving = connection.close
        connection.begin(head, head_only=self._scope["method"] == "HEAD", upgrade=False)
        connection.on_news = self._look
        connection.on_data = self._look_at

    def _look_at(self, data: bytes) -> bool:
        """Whether the first data is an answer that differs from the last one in its body only."""
        self._data = data
        known = self._route.known
        if known is None or len(data) != known.total or not data.startswith(known.head):
            return False
        if self._visitor.disconnected:
            return False
        self._connection.settle()
        self._end()
        self._visitor.send_whole(known.status, known.lines, data[len(known.head) :])
        self._leave_server()
        self._count(known)
        return True

    def _look(self) -> None:
        """Something came, or the connection ended."""
        connection = self._connection
        if connection.is_whole and not self._visitor.disconnected:
            self._finish(connection)
        elif connection.is_whole or connection.has_failed or not connection.is_small:
            self._hand_over()
        else:
            self._data = b""  # it comes in pieces, of which the first tells nothing of the others

    def _finish(self, connection: UpstreamConnection) -> None:
        way, visitor = self._route.way, self._visitor
        found = connection.head_now
        assert found is not None, "a whole answer has one"
        if not way.passes(found.status):
            self._hand_over()
            return
        headers = way.job.change(response_headers(found))
        try:
            visitor.start(found.status, headers)
        except ValueError:
            self._hand_over()  # it fails there too, and is told of
            return
        self._end()
        body = connection.take()
        visitor.write(body, more=False)
        answer = self._route.answers.know(found, headers, self._data, body)
        if answer.total and connection.is_reusable and way.job.request.method == "GET":
            self._route.known = answer
        self._leave_server()
        self._count(answer)

    def _leave_server(self) -> None:
        self._route.way.pool.release(self._origin, self._connection)
        self._leave()
        del self._scope[CONNECTION]  # each refers to the other: this spares the garbage collector

    def _count(self, known: Known) -> None:
        known.tally.requests += 1
        known.tally.sent += known.sent
        line = self._prepared.line(known)
        if line is not None:
            taken = time.monotonic() - self._begun_at
            line.write(self._address, self._port, f"{taken:.3f}")

    def _hand_over(self) -> None:
        self._end()
        self._scope[BEGUN] = Begun(self._origin, self._connection, self._route.way.pool, self._leave)
        self._visitor.hand_over()

    def _end(self) -> None:
        self._route.way.pool.deadlines.remove(self)
        self._connection.on_news = self._connection.on_data = None
        self._visitor.on_leaving = None
