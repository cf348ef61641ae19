"""uvicorn's HTTP protocol with a fast lane before the application.

When the head of a plain GET or HEAD is complete and the previous answer of the connection is too, the
memo is asked and its bytes are written at once. A whole request whose very bytes were answered like that
before is not even parsed. Anything else goes to the application unchanged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Hashable
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from preamp.edge.accesslog import RECEIVED
from preamp.edge.fastlane.cycle import Cycle
from preamp.edge.fastlane.heads import NOTHING, PLAIN, key_of
from preamp.edge.fastlane.lane import Lane
from preamp.edge.fastlane.memo import Prepared
from preamp.edge.fastlane.wordings import LONGEST, Wording
from preamp.edge.proxy.passage import PreparedRequest, Route
from preamp.edge.proxy.tunnel import Tunnel
from preamp.edge.proxy.visitor import CONNECTION
from preamp.edge.shortcuts import MEMO_KEY
from preamp.edge.upstream.connection import UpstreamConnection
from preamp.store.access_logs import Repetition

IDLE_SECONDS = 75.0
"""How long a connection may rest between two requests."""
HEAD_SECONDS = 20.0
"""How long a request may take to arrive, up to the end of its head."""
MOST_HEAD = 64 * 1024
"""Bytes of one request's head; more is answered with 431."""

log = logging.getLogger(__name__)

_ASGI = {"version": "3.0", "spec_version": "2.3"}


class EdgeProtocol(HttpToolsProtocol):
    """One connection. `lane` is set by a subclass for each server, made by `protocol_for`."""

    lane: Lane
    cycle: Cycle | None  # type: ignore[assignment]
    """Of the newest request that the application answers."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._running: Cycle | None = None
        """What the application is at work on, or was last."""
        self._waiting: deque[Cycle] = deque()
        """Pipelined requests."""
        self._answered = False
        self._in_head = False
        self._between = True
        """Whether the parser has seen all of the last request and nothing of the next."""
        self._wording: Wording | PreparedRequest | None = None
        """What became of the last request, if its bytes tell all."""
        self._head_size = 0
        self._active_at: float | None = None
        """When something happened last; None: since the timer looked last."""
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._client = "-"
        self._port = "0"
        self._peer_is_trusted = False
        self._seen = NOTHING
        self._wordings = self.lane.wordings.get
        self._is_stale = self.lane.is_stale
        self._begun = 0
        """Requests whose first byte was in the data that is parsed now."""
        self._upgrading = False
        self._rest = b""

    # One timer for each connection that is moved lazily: setting one for each request would cost more
    # than the answer.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._active_at = self.loop.time()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._check_idle)
        if self.client is not None:
            self._client, self._port = self.client[0], str(self.client[1])
            self._peer_is_trusted = self.lane.trust.trusts(self.client[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.connections.discard(self)
        if self._running is not None:
            self._running.leave()
        self._waiting.clear()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # type: ignore[assignment]

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_idle(self) -> None:
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self._active_at is None:
            self._active_at = now
        busy = self._is_answering()
        limit = HEAD_SECONDS if self._in_head else IDLE_SECONDS
        if not busy and now - self._active_at >= limit:
            self.transport.close()
            return
        wait = HEAD_SECONDS if busy else limit - (now - self._active_at)
        self._timer = self.loop.call_later(min(wait, HEAD_SECONDS), self._check_idle)

    def _is_answering(self) -> bool:
        """Whether the application is at work on a request of this connection."""
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        between = self._between
        if between and len(data) <= LONGEST:
            known = self._wordings(data)
            if (
                known is not None
                and not self._is_answering()
                and not self.flow.write_paused
                and not self._is_stale()
            ):
                if isinstance(known, PreparedRequest):
                    if known.route.is_kept:
                        self._forward(known, self._client, self._client).end_body()
                        return
                elif known.prepared.is_kept:
                    self._active_at = None
                    self._write(known.prepared, known.line, self._client)
                    return
        if self._upgrading:
            self._rest += data
            if len(self._rest) > MOST_HEAD:
                self.transport.pause_reading()
            return
        self._received += len(data)
        if self._in_head:
            self._head_size += len(data)
            if self._head_size > MOST_HEAD:
                self._refuse(431, "Request Header Fields Too Large")
                return
        else:
            # The time of a head counts from its first byte: sending it slowly does not prolong it.
            self._active_at = self.loop.time()
        self._begun = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # What follows the head may be another protocol already. Unless the application answers with
            # a tunnel, the request is answered as if it had not asked, and the connection closed.
            self._upgrading = True
            self._between = False
            self._rest = data[upgrade.args[0] :]
            self._end_after_answer()
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError):
                reason = error.__context__
                if not isinstance(reason, httptools.HttpParserError | ValueError):  # of the URL
                    log.error("a request was not answered", exc_info=reason)
            self._refuse(400, "Bad Request")
        else:
            if between and self._between and self._begun == 1 and self._wording is not None:
                # One request and nothing else: whoever sends these bytes means the same.
                self.lane.wordings.put(data, self._wording)

    def _end_after_answer(self) -> None:
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _refuse(self, status: int, reason: str) -> None:
        if self._is_answering():
            # An answer is under way: it is finished first, and the connection closed after it.
            self._end_after_answer()
            self._between = False
            self.flow.pause_reading()
            return
        if self.transport.is_closing():
            return
        body = f"{status} {reason}\n".encode()
        lines = self.lane.default_lines(self.server_state.default_headers)
        head = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(
            b"".join([STATUS_LINE[status], lines, head.encode(), b"connection: close\r\n\r\n", body])
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        # The scope is made later, and only for requests that reach the application.
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._answered = False
        self._in_head = True
        self._between = False
        self._begun += 1
        self._wording = None
        self._head_size = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        key = found = None
        method = self.parser.get_method()
        if method in PLAIN and self.parser.get_http_version() == "1.1":
            key, self._seen = key_of(method, self.url, self.headers, self.lane, trusted=self._peer_is_trusted)
        if key is not None and not self._is_answering() and not self.lane.is_stale():
            found = self.lane.memo.get(key)
        if isinstance(found, Prepared):
            if not self.flow.write_paused and not self.transport.is_closing():
                self._answered = True
                self._answer(found)
                self._received = 0
                return
            found = None
        self._begin(key, found if isinstance(found, Route) else None)
        self._received = 0

    def _begin(self, key: Hashable | None, route: Route | None) -> None:
        """Let the application answer, if the request does not go by a known route."""
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii"),
            "raw_path": url.path,
            "path": unquote(path) if "%" in path else path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self.headers,
            RECEIVED: self._received,
        }
        if key is not None:
            scope[MEMO_KEY] = key
        if route is not None and not self.flow.write_paused:
            prepared = self._prepare(route, scope)
            if prepared is not None:
                self._forward(prepared, *self._addresses())
                return
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        cycle = Cycle(self, scope, keep_alive=keep_alive, expects_continue=self.expect_100_continue)
        scope[CONNECTION] = cycle
        if self._is_answering():
            self.flow.pause_reading()
            self._waiting.appendleft(cycle)
        else:
            self.let_answer(cycle)
        self.cycle = cycle

    def _prepare(self, route: Route, scope: dict[str, Any]) -> PreparedRequest | None:
        """For the request whose head was parsed."""
        *_, proto, cookie, referer, user_agent, chain = self._seen
        prepared = route.prepare(scope, (cookie, referer, user_agent, chain))
        if chain is None and proto is None:
            self._wording = prepared
        return prepared

    def _addresses(self) -> tuple[str, str]:
        """The visitor's address, and what becomes of `X-Forwarded-For`."""
        told = self._seen[-1]
        if told is None or not self._peer_is_trusted:
            return self._client, self._client
        trust, text = self.lane.trust, told.decode("latin-1")
        return trust.address(self._client, text), ", ".join(trust.chain(self._client, text))

    def _forward(self, prepared: PreparedRequest, address: str, chain: str) -> Cycle:
        """Send a request to another server at once; where that cannot be, the application answers."""
        scope = prepared.scope.copy()
        scope["client"], scope["server"] = self.client, self.server
        cycle = Cycle(self, scope, keep_alive=True, expects_continue=False)
        self.cycle = self._running = scope[CONNECTION] = cycle
        if not prepared.begin(cycle, scope, address, self._port, chain):
            self.let_answer(cycle)
        return cycle

    def let_answer(self, cycle: Cycle) -> None:
        """Have the application answer."""
        self._running = cycle
        task = self.loop.create_task(cycle.run(self.app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _answer(self, found: Prepared) -> None:
        """The memo's answer to the request whose head was parsed."""
        *_, proto, cookie, referer, user_agent, chain = self._seen
        log = self.lane.access_log
        line = None
        if found.line is not None and log is not None:
            line = log.wording(
                found.line,
                received=self._received,
                referer=referer,
                user_agent=user_agent,
                cookie=cookie,
                forwarded_for=chain,
            )
        client = self._client
        if chain is None and proto is None:
            self._wording = Wording(found, line)
        elif chain is not None and self._peer_is_trusted:
            client = self.lane.trust.address(client, chain.decode("latin-1"))
        self._write(found, line, client)

    def _write(self, found: Prepared, line: Repetition | None, client: str) -> None:
        pairs = self.server_state.default_headers
        if found.pairs is not pairs:
            found.renew(pairs, self.lane.default_lines(pairs))
        data = found.data
        self.transport.write(data)
        tally = found.tally
        tally.requests += 1
        tally.sent += len(data)
        if line is not None:
            line.write(client, self._port)

    async def tunnel(self, headers: list[tuple[bytes, bytes]], upstream: UpstreamConnection) -> None:
        """Answer 101 and pass bytes both ways from now on."""
        self._stop_timer()  # a tunnel may rest longer
        lines = self.lane.default_lines(self.server_state.default_headers)
        named = [part for name, value in headers for part in (name, b": ", value, b"\r\n")]
        self.transport.write(b"".join([STATUS_LINE[101], lines, *named, b"\r\n", upstream.rest]))
        self.transport.resume_reading()
        tunnel = Tunnel(
            self.transport, upstream.transport, on_visitor_lost=lambda: self.connection_lost(None)
        )
        if self._rest:
            upstream.transport.write(self._rest)
            self._rest = b""
        await tunnel.closed

    def on_body(self, body: bytes) -> None:
        cycle = None if self._answered else self.cycle
        if cycle is not None and not cycle.response_complete and cycle.feed(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        self._between = True
        cycle = None if self._answered else self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.end_body()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._active_at = self.loop.time()
        self.flow.resume_reading()
        if self._waiting:
            self.let_answer(self._waiting.pop())


def protocol_for(lane: Lane) -> type[EdgeProtocol]:
    """The protocol class of one server."""
    return type("BoundEdgeProtocol", (EdgeProtocol,), {"lane": lane})
