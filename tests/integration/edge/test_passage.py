"""Requests that are forwarded again take a shorter way, and nobody sees a difference."""

from __future__ import annotations

import json
import re
import time

import pytest

from preamp.edge.fastlane.protocol import EdgeProtocol
from preamp.edge.proxy import passage
from preamp.edge.proxy.passage import Passage
from preamp.model.apps import CustomRule
from tests.integration.edge.test_hosting import lines_of, until
from tests.support.edge import World, running_edge
from tests.support.upstream import running_upstream

_DATE = re.compile(rb"date: [^\r]*\r\n")


@pytest.fixture(scope="module")
def upstream():
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def ways():
    """The short ways that were begun, and how they ended."""
    found: list[str] = []
    leave, hand_over, look_at = Passage._leave_server, Passage._hand_over, Passage._look_at

    def finished(self):
        found.append("finished")
        leave(self)

    def looked_at(self, data):
        known = look_at(self, data)
        if known:
            found.append("known")
        return known

    def handed_over(self):
        found.append("handed over")
        hand_over(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Passage, "_leave_server", finished)
        patch.setattr(Passage, "_look_at", looked_at)
        patch.setattr(Passage, "_hand_over", handed_over)
        yield found


@pytest.fixture(autouse=True)
def _forget(ways, monkeypatch):
    ways.clear()
    # However busy the machine is: only tests that are about it lose patience.
    monkeypatch.setattr(passage, "PATIENCE_SECONDS", 30.0)


@pytest.fixture(scope="module")
def edge(tmp_path_factory, ways):
    world = World(tmp_path_factory.mktemp("passage"))
    more = {"proxy_networks": ("127.0.0.0/8",), "trusted_proxies": ("127.0.0.0/8",), "proxy_seconds": 1.0}
    with running_edge(world, access_logs=world.folder / "access", **more) as running:
        yield running


@pytest.fixture(scope="module")
def host(edge, upstream):
    rule = CustomRule(source="/api/<*>", target=f"{upstream.url}/<*>", status="200")
    headers = "customHeaders: [{pattern: '/api/**', headers: [{key: X-Site, value: 'yes'}]}]"
    return edge.world.site({"index.html": b"home"}, rules=[rule], headers=headers, app_id="dpassage")


@pytest.mark.parametrize(
    ("method", "target", "headers", "end"),
    [
        (
            "GET",
            "/api/echo/a%20b?q=1",
            ["Cookie: a=1", "User-Agent: U (x)", "Accept-Encoding: br"],
            "finished",
        ),
        ("GET", "/api/echo?via", ["Via: 1.1 other", "Connection: keep-alive", "TE: trailers"], "finished"),
        ("GET", "/api/echo?chain", ["X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: https"], "finished"),
        ("GET", "/api/status/500", [], "finished"),
        ("GET", "/api/hints", [], "finished"),
        ("GET", "/api/redirect", [], "finished"),
        ("HEAD", "/api/status/200", [], "finished"),
        ("GET", "/api/length/500", [], "finished"),
        ("GET", "/api/length/1000000", [], "handed over"),
        ("GET", "/api/slow", [], "finished"),
    ],
)
def test_the_same_answer_each_time(edge, host, upstream, ways, method, target, headers, end):
    with edge.client() as client:
        first, *others = [
            _comparable(client.get(host, target, *headers, method=method), target) for _ in range(4)
        ]
        assert others == [first] * 3
    assert ways.count(end) == 3
    assert upstream.requests[-4:] == [(method, target.removeprefix("/api"))] * 4


def _comparable(reply, target):
    raw = _DATE.sub(b"", reply.raw)
    if "/echo" not in target:
        return raw
    told = json.loads(reply.body)
    assert "host" in dict(told["headers"])
    return sorted(told["headers"]), told["target"], reply.headers["x-site"]


def test_a_head_that_was_seen_before_is_not_parsed(edge, host, ways, upstream):
    target = "/api/page"
    with edge.client() as client:
        replies = [client.get(host, target) for _ in range(5)]
        assert {_DATE.sub(b"", reply.raw) for reply in replies} == {_DATE.sub(b"", replies[0].raw)}
        assert ways.count("known") == 3  # the first was the application's, the second was remembered
        client.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        last = client.read()
        assert (last.body, last.headers["connection"]) == (b"<h1>page</h1>", "close")
    head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    with edge.client() as client:
        client.send(head * 10)
        assert [client.read().body for _ in range(10)] == [b"<h1>page</h1>"] * 10
    assert edge.get(host, target, method="HEAD").headers["content-length"] == "13"


def test_the_same_bytes_are_not_parsed_and_each_visitor_is_told_of_by_its_address(
    edge, host, ways, monkeypatch
):
    parsed: list[bytes] = []
    parse = EdgeProtocol.on_headers_complete

    def on_headers_complete(self):
        parsed.append(self.url)
        parse(self)

    monkeypatch.setattr(EdgeProtocol, "on_headers_complete", on_headers_complete)
    addresses = [f"127.0.0.{number}" for number in range(2, 6)]
    for address in addresses:
        with edge.client(address=address) as client:
            told = json.loads(client.get(host, "/api/echo?bytes", "Via: 1.1 other").body)
        assert dict(told["headers"])["x-forwarded-for"] == address
        assert dict(told["headers"])["via"] == "1.1 other, 1.1 preamp"
    assert parsed == [b"/api/echo?bytes"] * 2  # the first was the application's, the second was remembered
    assert ways.count("finished") == 3
    folder = edge.world.folder / "access"

    def clients():
        found = lines_of(folder, "dpassage", host)
        return [line["c-ip"] for line in found if line["cs-uri-query"] == "bytes"]

    until(lambda: clients() == addresses)


@pytest.mark.parametrize("target", ["chunked/300000", "until-close"])
def test_bodies_of_unknown_length_stream(edge, host, ways, target):
    for _ in range(3):
        with edge.client() as client:
            client.send(f"GET /api/{target} HTTP/1.1\r\nHost: {host}\r\nX-A: b\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.file.readline()
            assert b"transfer-encoding: chunked" in head
            body = bytearray()
            while size := int(client.file.readline(), 16):
                body += client.file.read(size)
                client.file.read(2)
            assert len(body) == (300_000 if target.startswith("chunked") else 10)


def test_the_application_takes_a_slow_answer_over(edge, host, ways, monkeypatch):
    monkeypatch.setattr(passage, "PATIENCE_SECONDS", 0.01)
    for _ in range(3):
        assert edge.get(host, "/api/slow?patience").body == b"slow"
    assert ways == ["handed over"] * 2


def test_a_server_that_falls_silent_is_504(edge, host, ways, monkeypatch):
    monkeypatch.setattr(passage, "PATIENCE_SECONDS", 0.01)
    target = "/api/once/silent"
    assert edge.get(host, target).body == b"once"
    assert edge.get(host, target).status == 504
    assert ways == ["handed over"]


def test_a_connection_that_died_is_replaced(edge, host, ways, upstream):
    for _ in range(6):
        assert edge.get(host, "/api/closes").body == b"bye"
    assert edge.get(host, "/api/status/200").status == 200
    ways.clear()
    upstream.close_next = 1
    assert edge.get(host, "/api/status/200").status == 200  # asked again, on a new connection
    assert ways == ["handed over"]


def test_a_visitor_that_leaves_ends_it(edge, host, upstream):
    target = "/api/once/leaves"
    assert edge.get(host, target).body == b"once"
    before = upstream.cancelled
    with edge.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        time.sleep(0.1)
    until(lambda: upstream.cancelled > before)


def test_a_visitor_that_does_not_read_is_not_answered_on_and_on(edge, host, upstream):
    most, size = 400, 60_000
    target = f"/api/length/{size}?unread"
    edge.get(host, target)

    def is_asked_again(before: int) -> bool:
        end = time.monotonic() + 1
        while len(upstream.requests) == before and time.monotonic() < end:
            time.sleep(0.001)
        return len(upstream.requests) > before

    with edge.client() as client:
        sent, is_asked = 0, True
        while is_asked and sent < most:
            before = len(upstream.requests)
            client.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            sent += 1
            is_asked = is_asked_again(before)
        assert sent < most, "the answers go to the memory of the edge"
        assert [len(client.read().body) for _ in range(sent)] == [size] * sent


def test_hints_do_not_stand_for_the_answer(edge, host):
    with edge.client() as client:
        cookies = [client.get(host, "/api/hints-and-cookie").headers["set-cookie"] for _ in range(5)]
    assert len(set(cookies)) == 5


def test_a_second_answer_is_nobodys(edge, host, upstream):
    before = upstream.connections
    for _ in range(3):
        assert edge.get(host, "/api/twice").body == b"one"
    assert upstream.connections >= before + 2


def test_pipelined_requests_are_answered_in_order(edge, host):
    targets = ["/api/length/10", "/api/slow", "/", "/api/length/20", "/api/status/404"] * 3
    with edge.client() as client:
        client.send("".join(f"GET {t} HTTP/1.1\r\nHost: {host}\r\n\r\n" for t in targets).encode())
        found = [client.read().body for _ in targets]
    assert found == [b"x" * 10, b"slow", b"home", b"x" * 20, b"status 404"] * 3


def test_a_change_of_the_rules_counts_at_once(edge, upstream):
    def rule(target: str) -> CustomRule:
        return CustomRule(source="/x", target=f"{upstream.url}/{target}", status="200")

    host = edge.world.site({"index.html": b"home"}, rules=[rule("length/3")], app_id="drules")
    for number in range(1, 5):
        edge.world.change_app("drules", custom_rules=(rule(f"status/20{number}"),))
        for _ in range(3):
            assert edge.get(host, "/x").status == 200 + number


def test_what_the_log_says_of_them(edge, host):
    with edge.client() as client:
        for _ in range(3):
            client.get(
                host, "/api/status/404?log", "User-Agent: A (b)", "Cookie: c=d", "X-Forwarded-For: 192.0.2.9"
            )
    folder = edge.world.folder / "access"

    def lines():
        return [line for line in lines_of(folder, "dpassage", host) if line["cs-uri-query"] == "log"]

    until(lambda: len(lines()) == 3)
    first, *others = lines()
    for line in (first, *others):
        for name in ("date", "time", "time-taken", "time-to-first-byte"):
            del line[name]
    assert others == [first] * 2
    assert (first["c-ip"], first["sc-status"], first["cs(Cookie)"]) == ("192.0.2.9", "404", "c=d")
