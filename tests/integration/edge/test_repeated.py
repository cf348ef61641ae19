"""Requests that come again in the very same bytes: answered without being parsed, and no differently."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preamp.edge.fastlane.wordings import Wordings
from tests.integration.edge.test_hosting import lines_of, until
from tests.support.edge import World, running_edge

_DATE = re.compile(rb"date: [^\r]*\r\n")


@pytest.fixture(scope="module")
def taken():
    """The requests that were known by their bytes."""
    found: list[bytes] = []
    begin = Wordings.__init__

    def watched(self, *args):
        begin(self, *args)
        get = self.get

        def look(data):
            known = get(data)
            if known is not None:
                found.append(data)
            return known

        self.get = look

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wordings, "__init__", watched)
        yield found


@pytest.fixture(scope="module")
def edge(tmp_path_factory, taken):
    world = World(tmp_path_factory.mktemp("repeated"))
    with running_edge(
        world, access_logs=world.folder / "access", trusted_proxies=("127.0.0.0/8",)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def host(edge):
    return edge.world.site({"index.html": b"home", "b.txt": b"b" * 10}, app_id="drepeat")


def plain(host: str, target: str = "/", *more: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", *more, "", ""]).encode()


def test_the_third_time_a_request_is_not_parsed(edge, host, taken):
    request = plain(host, "/?third")
    for number in range(5):
        with edge.client() as client:
            client.send(request)
            assert client.read().body == b"home"
        assert taken.count(request) == max(0, number - 1)


def test_pieces_pipelines_and_bodies_are_parsed(edge, host, taken):
    one, two = plain(host, "/?one"), plain(host, "/b.txt?two")
    with edge.client() as client:
        for _ in range(3):
            for request in (one, two):
                client.send(request)
                client.read()
        assert (taken.count(one), taken.count(two)) == (1, 1)
        client.send(one + two + one)
        assert [client.read().body for _ in range(3)] == [b"home", b"b" * 10, b"home"]
        client.send(one[:20])
        time.sleep(0.05)
        client.send(one[20:] + two)
        assert [client.read().body for _ in range(2)] == [b"home", b"b" * 10]
        # What looks like a known request is the body of another,
        client.send(f"POST /b.txt HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(one)}\r\n\r\n".encode())
        assert client.read().status == 405
        client.send(one)
        # or the rest of a head.
        client.send(f"GET /b.txt HTTP/1.1\r\nHost: {host}\r\nX-A: ".encode())
        time.sleep(0.05)
        client.send(one)
        assert client.read().status == 400
    assert (taken.count(one), taken.count(two)) == (1, 1)


def test_an_answer_that_is_under_way_comes_first(edge, taken):
    host = edge.world.site({"big.bin": bytes(9_000_000), "index.html": b"home"})
    request = plain(host)
    for _ in range(3):
        with edge.client() as client:
            client.send(request)
            client.read()
    with edge.client() as client:
        client.send(plain(host, "/big.bin"))
        time.sleep(0.1)
        client.send(request)
        assert len(client.read().body) == 9_000_000
        assert client.read().body == b"home"


def test_a_switch_counts_for_known_requests_too(edge, taken):
    host = edge.world.site({"index.html": b"1"}, app_id="dswitch")
    branch = edge.world.branch("dswitch", "other")
    other = host.replace("main.", "other.")
    with edge.client() as client:
        for number in range(1, 6):
            edge.world.release("dswitch", branch, number, {"index.html": str(number).encode()})
            for _ in range(4):
                client.send(plain(other))
                assert client.read().body == str(number).encode()
    assert taken.count(plain(other)) >= 5


def test_what_the_log_says_of_them(edge, taken):
    host = edge.world.site({"index.html": b"home"}, app_id="dlogged")
    same = plain(host, "/?q", "User-Agent: A (b)", "Cookie: c=d", "Referer: http://r/")
    chained = plain(host, "/?chain", "X-Forwarded-For: 192.0.2.9")
    with edge.client() as client:
        for request in (same, chained):
            for _ in range(4):
                client.send(request)
                client.read()
    assert (taken.count(same), taken.count(chained)) == (2, 0)
    folder = edge.world.folder / "access"
    until(lambda: len(lines_of(folder, "dlogged", host)) == 8)
    lines = lines_of(folder, "dlogged", host)
    for line in lines:
        for name in ("date", "time", "time-taken", "time-to-first-byte"):
            del line[name]
    assert lines[0] == lines[1] == lines[2] == lines[3]
    assert (lines[0]["cs-bytes"], lines[0]["cs(Cookie)"]) == (str(len(same)), "c=d")
    assert lines[4] == lines[7]
    assert lines[7]["c-ip"] == "192.0.2.9"


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from(["GET", "HEAD", "POST"]),
            st.sampled_from(["/", "/b.txt", "/none"]),
            st.sampled_from(["", "Accept-Encoding: gzip\r\n", "Range: bytes=0-1\r\n", "X: y\r\n"]),
        ),
        max_size=6,
    ),
    cuts=st.lists(st.integers(0, 600), max_size=4),
)
def test_however_the_bytes_arrive_the_answers_are_the_same(edge, host, requests, cuts):
    data = b"".join(
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()
        for method, target, more in requests
    )
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]

    def answers(pieces: list[bytes]) -> list[bytes]:
        with edge.client() as client:
            for piece in pieces:
                client.send(piece)
            return [
                _DATE.sub(b"", client.read(head=method == "HEAD").raw) for method, _target, _more in requests
            ]

    whole = answers([data])
    assert answers([data[start:end] for start, end in itertools.pairwise(places)]) == whole
    with edge.client() as client:
        for (method, target, more), expected in zip(requests, whole, strict=True):
            client.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
            assert _DATE.sub(b"", client.read(head=method == "HEAD").raw) == expected
