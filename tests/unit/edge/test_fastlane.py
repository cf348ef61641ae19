"""What the fast lane and the short way remember, and the answer of one request."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace

from preamp.edge.fastlane.cycle import Cycle
from preamp.edge.fastlane.memo import Memo, Prepared
from preamp.edge.proxy.forward import Job
from preamp.edge.proxy.known import Answers
from preamp.edge.proxy.passage import Route, Way
from preamp.edge.request import Request
from preamp.edge.shortcuts import MEMO_KEY, Shortcuts
from preamp.edge.tallies import Tallies
from preamp.edge.upstream.addresses import AddressPolicy
from preamp.edge.upstream.origin import Origin
from preamp.edge.upstream.pool import Pool
from preamp.store.access_logs import AccessLog


def way(asked: Request) -> Way:
    job = Job(
        request=asked,
        origin=Origin(scheme="http", host="up", port=80),
        target=asked.raw_path,
        keep_authorization=True,
        change=lambda pairs: pairs,
    )
    return Way(job=job, pool=Pool(AddressPolicy()), enter=lambda: None)


def test_long_urls_count(tmp_path):
    log, path = AccessLog(tmp_path), "/" + "x" * 8000
    known = {"host": "h", "method": "GET", "query": "", "status": 404, "result": "Error", "sent": 1}
    line = log.repeated("d1", "h", path=path, **known, content_type="", content_length=None)
    request = Request(method="GET", scheme="http", authority="h", raw_path=path, query="", headers={})
    answers = Answers(request=request, app_id="d1", name="h", access_log=log, tallies=Tallies())
    route = Route(way=way(request), answers=answers)
    assert Prepared(b"", b"", line).size > 2 * len(path)  # key, and line of the log
    assert route.size > 4 * len(path)  # key, request, and both heads


def test_what_leads_to_a_server_does_not_keep_what_a_visitor_said():
    memo, table = Memo(100_000), SimpleNamespace(is_current=lambda _site: True)
    shortcuts = Shortcuts(memo=memo, table=table, access_log=None, tallies=Tallies())
    site = SimpleNamespace(is_memoisable=True, app_id="d1")
    request = Request(
        method="GET",
        scheme="http",
        authority="h",
        raw_path="/",
        query="",
        headers={"cookie": "x" * 60_000},
        address="192.0.2.1",
        forwarded_for=("192.0.2.1",) * 5000,
    )
    shortcuts.remember({MEMO_KEY: "key"}, request, site, "name", way)
    kept = memo.get("key")
    assert isinstance(kept, Route)
    assert kept.way.job.request == dataclasses.replace(request, headers={}, address="", forwarded_for=())
    shortcuts.remember({}, request, site, "name", way)
    assert len(memo) == 1


def test_an_application_that_fails_after_the_head_is_500():
    written: list[bytes] = []
    protocol = SimpleNamespace(
        transport=SimpleNamespace(write=written.append, close=lambda: written.append(b"closed")),
        flow=SimpleNamespace(write_paused=False),
        lane=SimpleNamespace(default_lines=lambda _pairs: b"date: now\r\n"),
        server_state=SimpleNamespace(default_headers=[(b"date", b"now")]),
        on_response_complete=lambda: None,
    )
    scope = {"method": "GET", "http_version": "1.1"}

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("as a test")

    asyncio.run(Cycle(protocol, scope, keep_alive=True, expects_continue=False).run(app))
    head, _, body = b"".join(written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert (b"chunked" in head, body) == (False, b"500 Internal Server Error\nclosed")
