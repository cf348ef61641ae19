"""Forwarding, in its parts."""

from __future__ import annotations

import asyncio

import pytest

from preamp.edge.hosts_known import KnownHosts
from preamp.edge.immutable import is_fingerprinted
from preamp.edge.proxy.headers import (
    goes_in_circles,
    has_body,
    request_head,
    response_headers,
    wants_websocket,
)
from preamp.edge.proxy.known import Answers
from preamp.edge.proxy.tunnel import Tunnel
from preamp.edge.request import Request
from preamp.edge.skew import wanted_job
from preamp.edge.tallies import Tallies
from preamp.edge.upstream.addresses import AddressPolicy
from preamp.edge.upstream.connection import ResponseHead
from preamp.edge.upstream.deadlines import Deadlines
from preamp.edge.upstream.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
from preamp.edge.upstream.origin import Origin, split_url
from preamp.edge.upstream.pool import Pool
from preamp.store.hosting import CustomHost
from tests.support.upstream import running_upstream


def request(query: str = "", **headers: str) -> Request:
    return Request(
        method="GET",
        scheme="http",
        authority="site.example",
        raw_path="/",
        query=query,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("https://api.example.com", "api.example.com", "/"),
        ("https://api.example.com:443/a?b=c#d", "api.example.com", "/a?b=c"),
        ("http://API.example.com:8080/a%2Fb", "api.example.com:8080", "/a%2Fb"),
        ("http://[2001:db8::1]/x", "[2001:db8::1]", "/x"),
    ],
)
def test_urls(url, authority, target):
    origin, found = split_url(url)
    assert (origin.authority, found) == (authority, target)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/", "http:///x", "http://user@example.com/", "http://ex%41mple.com/", "/path"),
        *("http://example.com:99999/", "http://[::1/", "http://a b/", "http://example.com:x/"),
    ],
)
def test_urls_that_are_refused(url):
    with pytest.raises(UpstreamRefused):
        split_url(url)


def test_connection_headers_do_not_go_on():
    pairs = [
        (b"connection", b"close, X-A"),
        (b"x-a", b"1"),
        (b"x-b", b"2"),
        (b"upgrade", b"h2c"),
        (b"content-length", b"3"),
        (b"authorization", b"secret"),
    ]
    origin = Origin(scheme="http", host="up", port=80)
    more = {"origin": origin, "target": "/t", "websocket": False}
    head = request_head(request(), pairs, keep_authorization=False, **more)
    assert head.startswith(b"GET /t HTTP/1.1\r\nhost: up\r\n")
    assert b"x-b: 2\r\n" in head
    assert b"content-length: 3\r\n" in head
    for name in (b"x-a:", b"upgrade:", b"connection:", b"authorization:"):
        assert name not in head
    assert b"authorization: secret\r\n" in request_head(request(), pairs, keep_authorization=True, **more)


def test_bodies_and_circles_and_upgrades():
    assert has_body([(b"content-length", b"1")])
    assert has_body([(b"transfer-encoding", b"chunked")])
    assert not has_body([(b"content-length", b"0")])
    assert not goes_in_circles([(b"via", b"1.1 preamp, 1.1 other")])
    assert goes_in_circles([(b"via", b", ".join([b"1.1 preamp"] * 8))])
    assert wants_websocket(request(connection="keep-alive, Upgrade", upgrade="WebSocket"))
    assert not wants_websocket(request(connection="keep-alive", upgrade="websocket"))
    assert not wants_websocket(request(connection="upgrade", upgrade="h2c"))


def test_answers_of_unknown_length_and_without_body_lose_their_length():
    pairs = ((b"content-length", b"5"), (b"x", b"1"))
    for status, has_length, kept in (
        (200, True, True),
        (200, False, False),
        (304, True, False),
        (204, True, False),
    ):
        head = ResponseHead(status=status, headers=pairs, has_length=has_length)
        assert ((b"content-length", b"5") in response_headers(head)) is kept


def test_what_an_answer_is_compared_with():
    answers = Answers(request=request(), app_id="d1", name="site", access_log=None, tallies=Tallies())

    def total(data: bytes, *headers: tuple[bytes, bytes], status: int = 200, has_length: bool = True) -> int:
        found = ResponseHead(status=status, headers=headers, has_length=has_length)
        return answers.know(found, response_headers(found), data, b"body").total

    length = (b"content-length", b"4")
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
    assert total(data, length) == len(data)
    assert total(data + b"x", length) == 0
    assert total(b"HTTP/1.1 103 Early Hints\r\n\r\n" + data, length) == 0
    assert total(data[:-1], length) == 0  # the rest came later
    assert total(data, length, has_length=False) == 0
    assert total(data, length, status=304) == 0
    assert total(data.replace(b"\r\n\r\n", b"\r\nA: " + b"a" * 3000 + b"\r\n\r\n"), length) == 0


def test_many_waits_have_one_timer():
    async def run() -> None:
        deadlines = Deadlines()
        called: list[str] = []
        late, early, gone = object(), object(), object()
        deadlines.add(late, 30, lambda: called.append("late"))
        deadlines.add(gone, 0, lambda: called.append("gone"))
        deadlines.add(early, 0.01, lambda: called.append("early"))
        deadlines.remove(gone)
        deadlines.remove(gone)
        while not called:  # noqa: ASYNC110 (that is what is tested)
            await asyncio.sleep(0.01)
        assert called == ["early"]
        deadlines.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def exchange(path: str, *, target: str = "/echo", **more: float) -> bytes:
    async def run() -> bytes:
        pool = Pool(AddressPolicy(), **more)
        origin = Origin(scheme="http", host="unix", port=80, socket_path=path)
        try:
            connection = await pool.acquire(origin)
            connection.begin(
                f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode(), head_only=False, upgrade=False
            )
            assert (await connection.head()).status == 200
            body = b""
            while data := await connection.read():
                body += data
            pool.release(origin, connection)
            assert await pool.acquire(origin) is connection
            pool.release(origin, connection)
            return body
        finally:
            pool.close()

    return asyncio.run(run())


def test_unix_sockets_are_dialled(tmp_path):
    path = str(tmp_path / "up.sock")
    with running_upstream(path=path):
        assert b'"target": "/echo"' in exchange(path)
        assert exchange(path, target="/chunked/100000") == b"x" * 100_000
        with pytest.raises(UpstreamBroken):
            exchange(path, target="/cut")


def test_a_connection_that_is_not_accepted_in_time(tmp_path, monkeypatch):
    async def never(*_args: object, **_more: object) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_connection", never)
        pool = Pool(AddressPolicy(), connect_seconds=0.05)
        with pytest.raises(UpstreamTimeout):
            await pool.acquire(Origin(scheme="http", host="unix", port=80, socket_path="/x"))

    asyncio.run(run())


def test_an_idle_tunnel_is_closed():
    async def run() -> None:
        accepted: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _r, w: accepted.append(w), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        ends = [await loop.create_connection(asyncio.Protocol, "127.0.0.1", port) for _ in range(2)]
        lost: list[bool] = []
        tunnel = Tunnel(ends[0][0], ends[1][0], on_visitor_lost=lambda: lost.append(True), idle_seconds=0.05)
        await asyncio.wait_for(tunnel.closed, 20)
        assert lost == [True]
        for writer in accepted:
            writer.close()
        server.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("assets/index-Bf3kXa9q.js", True),
        ("static/js/main.3f9a1c2b.chunk.js", True),
        ("_next/static/chunks/framework-0ba5e1d2c3f4a5b6.js", True),
        ("0ba5e1d2c3f4a5b60ba5e1d2c3f4a5b6.woff2", True),
        ("chunk-4QJ2X7AB.js.map", True),
        ("index.html", False),
        ("index-Bf3kXa9q.html", False),
        ("app.js", False),
        ("bootstrap.min.css", False),
        ("service-worker.js", False),
        ("photo-20240131.jpg", False),
        ("deadbeef", False),
        ("README-Bf3kXa9q", False),
        ("facade00.js", False),
    ],
)
def test_fingerprints(name, expected):
    assert is_fingerprinted(name) is expected


@pytest.mark.parametrize(
    ("query", "headers", "job"),
    [
        ("", {}, None),
        ("dpl=7", {}, 7),
        ("a=1&dpl=0000000007&dpl=8", {}, 7),
        ("dpl=7", {"x_amplify_dpl": "9"}, 9),
        ("", {"cookie": "_dpl=3; __dpl=4"}, 3),
        ("", {"cookie": "__dpl=4"}, 4),
        ("", {"cookie": "x_dpl=4"}, None),
        ("dpl=", {"cookie": "_dpl=3"}, 3),
        ("dpl=-1", {}, None),
        ("dpl=٣", {}, None),
        ("", {"cookie": "_dpl=" + "9" * 100}, None),
    ],
)
def test_deployment_ids(query, headers, job):
    assert wanted_job(request(query, **headers)) == job


def test_known_hosts_are_forgotten_with_their_app():
    now = [0.0]
    hosts = KnownHosts(clock=lambda: now[0])
    one, two = (CustomHost(app_id=app, label="main", name=f"{app}.example") for app in ("d1", "d2"))
    hosts.put("d1.example", one)
    hosts.put("d2.example", two)
    hosts.put("none.example", None)
    assert hosts.is_missing("none.example")
    epoch = hosts.epoch
    hosts.forget({"d1"})
    assert (hosts.get("d1.example"), hosts.get("d2.example")) == (None, two)
    assert not hosts.is_missing("none.example")
    assert hosts.epoch != epoch
    hosts.put("none.example", None)
    now[0] = 5.0
    assert not hosts.is_missing("none.example")
    hosts.forget(None)
    assert hosts.get("d2.example") is None
