"""Rules that forward to another server."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from preamp.edge.fastlane import protocol
from preamp.model.apps import CustomRule
from tests.support.edge import Client, World, running_edge
from tests.support.upstream import running_upstream


@pytest.fixture(scope="module")
def upstream():
    with running_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("proxy"))
    with running_edge(world, proxy_networks=("127.0.0.0/8",), proxy_seconds=1.0) as running:
        yield running


@pytest.fixture(scope="module")
def host(edge, upstream):
    rule = CustomRule(source="/api/<*>", target=f"{upstream.url}/<*>", status="200")
    headers = "customHeaders: [{pattern: '/api/**', headers: [{key: X-Site, value: 'yes'}]}]"
    return edge.world.site({"index.html": b"home"}, rules=[rule], headers=headers)


def read_chunked(client: Client) -> tuple[bytes, bytes]:
    """Head and body of an answer in chunks."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.file.readline()
    assert b"transfer-encoding: chunked" in head.lower(), head
    body = bytearray()
    while size := int(client.file.readline(), 16):
        body += client.file.read(size)
        assert client.file.read(2) == b"\r\n"
    assert client.file.read(2) == b"\r\n"
    return head, bytes(body)


def test_the_request_arrives_as_it_was(edge, host, upstream):
    reply = edge.get(
        host,
        "/api/echo/a%20b?q=1&r=%2F",
        "X-Own: kept",
        "Cookie: a=1",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "TE: trailers",
        "Proxy-Authorization: Basic x",
        "X-Forwarded-For: 6.6.6.6",
        "Authorization: Bearer t",
    )
    told = json.loads(reply.body)
    assert (told["method"], told["target"]) == ("GET", "/echo/a%20b?q=1&r=%2F")
    assert sorted(told["headers"]) == sorted(
        [
            ["host", f"127.0.0.1:{upstream.port}"],
            ["x-own", "kept"],
            ["cookie", "a=1"],
            ["authorization", "Bearer t"],
            ["x-forwarded-for", "127.0.0.1"],
            ["x-forwarded-host", host],
            ["x-forwarded-proto", "http"],
            ["via", "1.1 preamp"],
        ]
    )
    assert (reply.headers["server"], reply.headers["x-site"]) == ("upstream", "yes")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_and_bodies(edge, host, method):
    with edge.client() as client:
        client.send(f"{method} /api/echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello".encode())
        told = json.loads(client.read().body)
        assert (told["method"], told["body"], dict(told["headers"])["content-length"]) == (
            method,
            "hello",
            "5",
        )
        client.send(
            f"{method} /api/echo HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n".encode()
        )
        told = json.loads(client.read().body)
        assert (told["body"], dict(told["headers"])["transfer-encoding"]) == ("abcdefg", "chunked")


def test_expect_100_continue(edge, host):
    with edge.client() as client:
        client.send(
            f"POST /api/echo HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\n"
            "Content-Length: 2\r\n\r\n".encode()
        )
        assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert client.file.readline() == b"\r\n"
        client.send(b"ok")
        assert json.loads(client.read().body)["body"] == "ok"


def test_head_and_answers_without_body(edge, host):
    with edge.client() as client:
        reply = client.get(host, "/api/length/500", method="HEAD")
        assert (reply.status, reply.headers["content-length"]) == (200, "500")
        for status in (204, 304, 404, 500):
            assert client.get(host, f"/api/status/{status}").status == status
        assert client.get(host, "/").body == b"home"


def test_redirects_are_not_followed(edge, host):
    reply = edge.get(host, "/api/redirect")
    assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")


def test_hop_by_hop_headers_end_here_and_cookies_stay_apart(edge, host):
    with edge.client() as client:
        client.send(f"GET /api/cookies HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.file.readline()
    lines = head.decode().lower().split("\r\n")
    assert [line for line in lines if line.startswith("set-cookie")] == ["set-cookie: a=1", "set-cookie: b=2"]
    assert "x-kept: yes" in lines
    assert not any(line.startswith(("x-hop", "keep-alive", "connection")) for line in lines)
    assert sum(line.startswith("date:") for line in lines) == 1


def test_interim_answers_are_passed_over(edge, host):
    assert edge.get(host, "/api/hints").body == b"after hints"


def test_bodies_of_unknown_length(edge, host):
    with edge.client() as client:
        for target, expected in (("chunked/300000", b"x" * 300_000), ("until-close", b"to the end")):
            client.send(f"GET /api/{target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert read_chunked(client)[1] == expected
        assert client.get(host, "/").body == b"home"


@pytest.mark.parametrize("target", ["chunked/20000000", "until-close"])
def test_http_1_0_knows_no_chunks(edge, host, target):
    before = _memory()
    with edge.client() as client:
        client.send(f"GET /api/{target} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        time.sleep(0.3)  # the upstream waits for us, not the memory of the edge
        assert _memory() - before < 10_000_000
        head, _, body = client.file.read().partition(b"\r\n\r\n")  # to the end of the connection
    assert b"connection: close" in head
    assert not re.search(b"content-length|transfer-encoding", head)
    assert body == (b"to the end" if target == "until-close" else b"x" * 20_000_000)


def test_the_head_does_not_wait_for_the_body(edge, host):
    with edge.client() as client:
        client.send(f"GET /api/stall HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.file.readline() == b"HTTP/1.1 200 OK\r\n"


def test_connections_are_used_again(edge, host, upstream):
    with edge.client() as client:
        client.get(host, "/api/status/200")
        before = upstream.connections
        for _ in range(20):
            assert client.get(host, "/api/status/200").status == 200
        assert upstream.connections == before


def test_a_rested_connection_that_died_is_replaced(edge, host, upstream):
    for _ in range(10):
        assert edge.get(host, "/api/closes").body == b"bye"


def test_large_bodies_flow_in_both_directions_with_flat_memory(edge, host, upstream):
    size = 60_000_000
    before, received = _memory(), upstream.received
    with edge.client() as client:
        client.send(f"GET /api/length/{size} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        while client.file.readline() != b"\r\n":
            pass
        client.file.read(100_000)
        time.sleep(0.3)  # the upstream waits for us, not the memory of the edge
        assert _memory() - before < 20_000_000
        left = size - 100_000
        while left:
            left -= len(client.file.read(min(left, 1 << 20)))
        client.send(
            f"POST /api/status/200 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        for _ in range(60):
            client.send(bytes(1_000_000))
        assert client.read().status == 200
    assert upstream.received - received == size
    assert _memory() - before < 20_000_000


def _memory() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


def test_an_answer_before_the_body_was_sent(edge, host):
    with edge.client() as client:
        client.send(f"POST /api/early HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3000000\r\n\r\n".encode())
        client.send(bytes(1000))
        assert client.read().status == 413


def test_an_upstream_that_does_not_answer_is_504(edge, host):
    reply = edge.get(host, "/api/silent")
    assert reply.status == 504
    assert reply.headers["cache-control"] == "no-cache"
    assert b"127.0.0.1" not in reply.body


@pytest.mark.parametrize("what", ["cut", "stall"])
def test_an_answer_that_stops_is_cut_here_too(edge, host, what):
    with edge.client() as client:
        client.send(f"GET /api/{what} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            raw = client.file.read()
        except ConnectionResetError:
            return
    assert raw.endswith(b"half ")
    assert b"content-length: 10" in raw.lower()


@pytest.mark.parametrize("what", ["garbage", "status/999", "status/000"])
def test_what_is_not_http_is_502(edge, host, what):
    assert edge.get(host, f"/api/{what}").status == 502


def test_an_upload_may_take_longer_than_an_upstream_may_be_silent(edge, host):
    with edge.client() as client:
        client.send(f"POST /api/status/200 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 8\r\n\r\n".encode())
        for _ in range(8):
            time.sleep(0.2)
            client.send(b"x")
        assert client.read().status == 200


def test_nobody_listens_is_502(edge):
    with running_upstream() as gone:
        pass
    rule = CustomRule(source="/<*>", target=f"{gone.url}/<*>", status="200")
    host = edge.world.site({"index.html": b"home"}, rules=[rule])
    assert edge.get(host, "/x").status == 502


def test_a_visitor_that_leaves_ends_the_exchange(edge, host, upstream):
    before = upstream.cancelled
    with edge.client() as client:
        client.send(f"GET /api/length/500000000 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        client.file.read(1000)
    end = time.monotonic() + 20
    while upstream.cancelled == before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_websocket_is_a_tunnel(edge, host):
    with edge.client() as client:
        client.send(
            f"GET /api/websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: k\r\n\r\nbegun".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.file.readline()
        assert head.startswith(b"HTTP/1.1 101 ")
        for line in (b"sec-websocket-accept: checked", b"upgrade: websocket", b"x-site: yes"):
            assert line in head.lower()
        assert client.file.read(11) == b"hello begun"
        data = bytes(range(256)) * 20_000
        sender = threading.Thread(target=client.send, args=[data])
        sender.start()
        assert client.file.read(len(data)) == data
        sender.join(20)
        client.sock.shutdown(1)
        assert client.file.read() == b""


def test_a_tunnel_may_rest_longer_than_a_connection_between_requests(edge, host, monkeypatch):
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with edge.client() as client:
        client.send(
            f"GET /api/websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\n\r\n".encode()
        )
        while client.file.readline() != b"\r\n":
            pass
        assert client.file.read(6) == b"hello "
        time.sleep(0.5)
        client.send(b"ping")
        assert client.file.read(4) == b"ping"


def test_an_upgrade_that_is_refused_is_an_ordinary_answer(edge, host):
    with edge.client() as client:
        client.send(
            f"GET /api/status/403 HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\n\r\n".encode()
        )
        assert client.read().status == 403


def test_other_protocols_are_not_tunnelled(edge, host):
    with edge.client() as client:
        client.send(
            f"GET /api/echo HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            "Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n".encode()
        )
        told = dict(json.loads(client.read().body)["headers"])
    assert not {"upgrade", "connection", "http2-settings"} & set(told)


def test_the_password_of_the_site_stays_here(edge, upstream):
    rule = CustomRule(source="/api/<*>", target=f"{upstream.url}/<*>", status="200")
    host = edge.world.site({"index.html": b"home"}, rules=[rule])
    edge.world.change_app(host.split(".")[1], enable_basic_auth=True, basic_auth_credentials="YTpi")
    reply = edge.get(host, "/api/echo", "Authorization: Basic YTpi")
    assert "authorization" not in dict(json.loads(reply.body)["headers"])


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[fe80::1]/",
    ],
)
def test_private_addresses_are_refused(tmp_path, upstream, target):
    world = World(tmp_path)
    rule = CustomRule(source="/<*>", target=target.format(port=upstream.port), status="200")
    host = world.site({"index.html": b"home"}, rules=[rule])
    before = upstream.connections
    with running_edge(world) as edge:
        reply = edge.get(host, "/x")
    assert reply.status == 502
    assert upstream.connections == before


def test_rules_in_a_circle_end(edge):
    app = edge.world.app()
    branch = edge.world.branch(app)
    target = f"http://main.{app}.localhost:{edge.port}/<*>"
    edge.world.change_app(app, custom_rules=(CustomRule(source="/<*>", target=target, status="200"),))
    edge.world.release(app, branch, 1, {"index.html": b"home"})
    assert edge.get(f"main.{app}.localhost", "/x").status == 508


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "1"),
        *("-subj", "/CN=up.localhost", "-addext", "subjectAltName=DNS:up.localhost"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.mark.needs("openssl")
def test_tls_is_verified(edge, certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with running_upstream(tls=context) as secure:
        rules = [
            CustomRule(source=f"/{name}/<*>", target=f"https://{name}:{secure.port}/<*>", status="200")
            for name in ("up.localhost", "localhost")
        ]
        host = edge.world.site({"index.html": b"home"}, rules=rules)
        assert edge.get(host, "/up.localhost/echo").status == 502  # nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
        world = World(certificate)
        again = world.site({"index.html": b"home"}, rules=rules)
        with running_edge(world, proxy_networks=("127.0.0.0/8", "::1/128")) as trusting:
            assert trusting.get(again, "/up.localhost/echo").status == 200
            assert trusting.get(again, "/localhost/echo").status == 502  # another name
