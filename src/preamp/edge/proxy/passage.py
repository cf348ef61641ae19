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

from preamp.edge.accesslog import RECEIVED, head_size, result_of
from preamp.edge.proxy.forward import BEGUN, Begun, Job
from preamp.edge.proxy.headers import fixed_lines, goes_in_circles, response_headers, variable_lines
from preamp.edge.proxy.visitor import CONNECTION, VisitorConnection
from preamp.edge.tallies import Source, Tallies
from preamp.edge.upstream.connection import ResponseHead, UpstreamConnection
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool
from preamp.store.access_logs import AccessLog

PATIENCE_SECONDS = 0.25
"""After so long without an answer the application waits for it."""
LONGEST_HEAD = 2048
"""Bytes of an answer's head that is remembered."""
OVERHEAD = 8192
"""Bytes that a route costs, roughly."""
Pairs = list[tuple[bytes, bytes]]
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
class Caller:
    """What differs from request to request."""

    address: str
    port: str
    chain: str
    """What `X-Forwarded-For` becomes."""
    told: tuple[bytes | None, bytes | None, bytes | None, bytes | None]
    """The headers `Referer`, `User-Agent`, `Cookie` and `X-Forwarded-For`."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """An answer of the server, and what became of its head."""

    head: bytes
    """As it came."""
    total: int
    """Bytes of head and body; 0: what comes next cannot be compared with it."""
    status: int
    lines: bytes
    """Of the head as it was sent."""
    sent: int
    content_type: str
    content_length: int | None

    @classmethod
    def of(cls, found: ResponseHead, headers: Pairs, data: bytes, body: bytes) -> Known:
        """`data`: all that came, where it came at once."""
        end = data.find(b"\r\n\r\n") + 4
        own = dict(headers)
        length = own.get(b"content-length")
        # One head, one body of the length that it says, and nothing that tells how the connection goes on.
        comparable = (
            found.has_length
            and end <= LONGEST_HEAD
            and data[end:] == body
            and length == str(len(body)).encode()
            and found.status not in {204, 304}
            and b"connection" not in own
            and b"transfer-encoding" not in own
        )
        return cls(
            head=data[:end],
            total=len(data) if comparable else 0,
            status=found.status,
            lines=b"".join([b"%b: %b\r\n" % pair for pair in headers]),
            sent=head_size(headers) + len(body),
            content_type=own.get(b"content-type", b"").decode("latin-1"),
            content_length=None if length is None else int(length),
        )


@dataclass(kw_only=True, slots=True)
class Route:
    """An entry of the memo."""

    way: Way
    name: str
    """Of the access log."""
    app_id: str
    access_log: AccessLog | None
    tallies: Tallies
    used_at: float = field(default_factory=time.monotonic)
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
        """It takes no more than itself."""

    def begin(self, visitor: Visitor, scope: MutableMapping[str, Any], caller: Caller) -> bool:
        """Send the request on its way; False: the application has to."""
        pairs: Pairs = scope["headers"]
        if goes_in_circles(pairs):
            return False
        entered = self.way.enter()
        if entered is None:
            return False
        origin, leave = entered
        connection = self.way.pool.take(origin)
        if connection is None:
            leave()
            return False
        self.used_at = time.monotonic()
        lines = variable_lines(pairs, self.way.job.keep_authorization, caller.chain)
        Passage(self, visitor, scope, caller, connection, origin, leave).begin(self.lines + lines + b"\r\n")
        return True


class Passage:
    """One request under way."""

    __slots__ = (
        "_begun_at",
        "_caller",
        "_connection",
        "_data",
        "_leave",
        "_origin",
        "_route",
        "_scope",
        "_visitor",
    )

    def __init__(
        self,
        route: Route,
        visitor: Visitor,
        scope: MutableMapping[str, Any],
        caller: Caller,
        connection: UpstreamConnection,
        origin: Origin,
        leave: Callable[[], None],
    ) -> None:
        self._route = route
        self._visitor = visitor
        self._scope = scope
        self._caller = caller
        self._connection = connection
        self._origin = origin
        self._leave = leave
        self._data = b""

    def begin(self, head: bytes) -> None:
        connection = self._connection
        self._begun_at = time.perf_counter()
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
        answer = Known.of(found, headers, self._data, body)
        if answer.total and connection.is_reusable and way.job.request.method == "GET":
            self._route.known = answer
        self._leave_server()
        self._count(answer)

    def _leave_server(self) -> None:
        self._route.way.pool.release(self._origin, self._connection)
        self._leave()
        del self._scope[CONNECTION]  # each refers to the other: this spares the garbage collector

    def _count(self, answer: Known) -> None:
        route, caller, request = self._route, self._caller, self._route.way.job.request
        tally = route.tallies.of(answer.status, Source.FORWARDED)
        tally.requests += 1
        tally.sent += answer.sent
        if route.access_log is None:
            return
        taken = time.perf_counter() - self._begun_at
        referer, user_agent, cookie, chain = [
            "" if text is None else text.decode("latin-1") for text in caller.told
        ]
        route.access_log.add(
            route.app_id,
            route.name,
            host=request.authority,
            method=request.method,
            path=request.raw_path,
            query=request.query,
            status=answer.status,
            result=result_of(answer.status, forwarded=True),
            sent=answer.sent,
            client=caller.address,
            port=int(caller.port),
            protocol=request.scheme,
            received=self._scope[RECEIVED],
            taken=taken,
            first_byte=taken,
            referer=referer,
            user_agent=user_agent,
            cookie=cookie,
            forwarded_for=chain,
            content_type=answer.content_type,
            content_length=answer.content_length,
        )

    def _hand_over(self) -> None:
        self._end()
        self._scope[BEGUN] = Begun(self._origin, self._connection, self._route.way.pool, self._leave)
        self._visitor.hand_over()

    def _end(self) -> None:
        self._route.way.pool.deadlines.remove(self)
        self._connection.on_news = self._connection.on_data = None
        self._visitor.on_leaving = None
