"""Sources on other servers."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from preamp.edge.images import fetch, results
from preamp.model.deploy_manifest import RemotePattern
from tests.support.images import png, quarters, running_optimiser

PICTURE = png(quarters())
HOST = "up.localhost"
pytestmark = pytest.mark.needs("openssl")


class Handler(BaseHTTPRequestHandler):
    """/image?cache=  /redirect?to=  /status?code=  /length?size=  /chunked?size=  /gzip  /slow"""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, dict[str, str]]]]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        type(self).asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            getattr(self, parts.path[1:])(**query)
        except OSError:  # the other side had enough
            self.close_connection = True

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def image(self, cache: str = "") -> None:
        self.answer(200, PICTURE, **({"Cache-Control": cache} if cache else {}))

    def redirect(self, to: str) -> None:
        self.answer(302, b"moved", Location=to)

    def status(self, code: str) -> None:
        self.answer(int(code), b"nothing")

    def gzip(self) -> None:
        self.answer(200, gzip.compress(PICTURE), Content_Encoding="gzip")

    def length(self, size: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", size)
        self.end_headers()
        for _ in range(int(size) // 65536 + 1):
            self.wfile.write(b"x" * 65536)

    def chunked(self, size: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(int(size) // 65536 + 1):
            self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while True:  # a byte now and then, for ever
            self.wfile.write(b"x")
            time.sleep(0.02)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "1"),
        *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def server(certificate):
    class Own(Handler):
        asked: ClassVar = []

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    running = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    running.daemon_threads = True
    running.socket = context.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
    running.handle_error = lambda *_: None
    running.asked = Own.asked
    running.url = f"https://{HOST}:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def optimiser(tmp_path, server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    server.asked.clear()
    with running_optimiser(tmp_path, networks=("127.0.0.1/32",), seconds=5) as running:
        yield running


def ask(optimiser, url, more="width=100", **settings):
    return optimiser.ask(f"url={quote(url, safe='')}&{more}", **{"domains": (HOST, "127.0.0.1"), **settings})


def test_an_image_of_another_server(optimiser, server):
    answer = ask(optimiser, f"{server.url}/image")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    assert optimiser.asked == []  # the site itself
    ((path, headers),) = server.asked
    assert path == "/image"
    assert headers["host"] == server.url.removeprefix("https://")
    assert not {"cookie", "authorization", "referer", "x-forwarded-for"} & set(headers)


def test_patterns_allow_it_too(optimiser, server):
    pattern = RemotePattern(hostname="*.localhost", protocol="https", pathname="/image")
    for path, status in (("image", 200), ("status?code=404", 400)):
        answer = ask(optimiser, f"{server.url}/{path}", domains=(), remote_patterns=(pattern,))
        assert answer.status == status


@pytest.mark.parametrize(
    ("cache", "ttl", "fetches", "max_age"),
    [
        (None, 60, 1, 60),
        ("max-age=600", 60, 1, 600),
        ("no-store", 60, 1, 60),
        (None, 0, 3, 0),
        ("max-age=600", 0, 1, 600),
        ("no-cache", 0, 3, 0),
    ],
)
def test_how_often_a_source_is_fetched(optimiser, server, cache, ttl, fetches, max_age):
    url = f"{server.url}/image" + (f"?cache={cache}" if cache else "")
    for _ in range(3):
        answer = ask(optimiser, url, minimum_cache_ttl=ttl)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == f"public, max-age={max_age}"
    assert len(server.asked) == fetches
    assert optimiser.images.transformers.done == 1


def test_after_its_time_it_is_fetched_again(optimiser, server, monkeypatch):
    ask(optimiser, f"{server.url}/image")
    now = results.now_ms()
    monkeypatch.setattr(results, "now_ms", lambda: now + 59_000)
    ask(optimiser, f"{server.url}/image")
    assert len(server.asked) == 1
    monkeypatch.setattr(results, "now_ms", lambda: now + 61_000)
    assert ask(optimiser, f"{server.url}/image").status == 200
    assert len(server.asked) == 2
    assert optimiser.images.transformers.done == 1


def test_another_size_needs_the_source_again(optimiser, server):
    assert ask(optimiser, f"{server.url}/image").status == 200
    assert ask(optimiser, f"{server.url}/image", "width=200").status == 200
    assert len(server.asked) == 2


def test_what_one_site_saw_is_not_allowed_for_another(optimiser, server):
    assert ask(optimiser, f"{server.url}/image").status == 200
    assert ask(optimiser, f"{server.url}/image", domains=()).status == 400


def test_many_at_once_fetch_once(optimiser, server):
    async def many():
        query = f"url={quote(server.url + '/image', safe='')}&width=100"
        return await asyncio.gather(*(optimiser.respond(query, domains=(HOST,)) for _ in range(10)))

    assert {answer.status for answer in optimiser.run(many())} == {200}
    assert len(server.asked) == 1


def test_redirects_are_followed_where_they_are_allowed(optimiser, server):
    assert ask(optimiser, f"{server.url}/redirect?to=/image").status == 200
    twice = quote(f"{server.url}/redirect?to=/image")
    assert ask(optimiser, f"{server.url}/redirect?to={twice}").status == 200


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("https://evil.example/x", b"url leads to evil.example, which is not among"),
        ("http://up.localhost/image", b"url has to begin with https://"),
        ("https://127.0.0.2/image", b"url leads to an address that sites may not reach"),
        ("https://169.254.169.254/latest/meta-data/", b"url leads to an address that sites may not reach"),
        ("//[::1]/image", b"url leads to an address that sites may not reach"),
        ("file:///etc/passwd", b"url is not a plain https URL"),
    ],
)
def test_redirects_are_checked(optimiser, server, target, text):
    hosts = (HOST, "127.0.0.2", "169.254.169.254", "[::1]")
    answer = ask(optimiser, f"{server.url}/redirect?to={quote(target)}", domains=hosts)
    assert answer.status == 400
    assert answer.body.startswith(text)


def test_redirects_end(optimiser, server):
    round_and_round = f"{server.url}/redirect?to="
    for _ in range(4):
        round_and_round = f"{server.url}/redirect?to={quote(round_and_round, safe='')}"
    answer = ask(optimiser, round_and_round)
    assert (answer.status, answer.body) == (502, b"the source was redirected more than 3 times\n")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("status?code=404", 404, b"there is no source"),
        ("status?code=410", 404, b"there is no source"),
        ("status?code=500", 502, b"the source was answered with 500"),
        ("status?code=304", 502, b"the source was answered with 304"),
        ("gzip", 502, b"the source's server compressed the image"),
        ("length?size=12000000", 413, b"the source has 12000000 bytes"),
        ("chunked?size=12000000", 413, b"the source is too large"),
        ("chunked?size=100000", 400, b"the source is no image of a known kind"),
    ],
)
def test_answers_that_are_no_use(optimiser, server, path, status, text):
    answer = ask(optimiser, f"{server.url}/{path}")
    assert (answer.status, answer.body[: len(text)]) == (status, text)
    assert optimiser.images.transformers.pids == []


def test_a_slow_server(tmp_path, server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with running_optimiser(tmp_path, networks=("127.0.0.1/32",), seconds=0.3) as hasty:
        answer = ask(hasty, f"{server.url}/slow")
    assert (answer.status, answer.body) == (504, b"the source's server did not answer in time\n")


def test_a_certificate_that_nobody_vouches_for(tmp_path, server):
    with running_optimiser(tmp_path, networks=("127.0.0.1/32",)) as strict:
        answer = ask(strict, f"{server.url}/image")
    assert (answer.status, answer.body) == (502, b"the source's server gave no usable answer\n")


def test_too_many_fetches_at_once(optimiser, server, monkeypatch):
    monkeypatch.setattr(fetch, "MOST_AT_ONCE", 2)

    async def many():
        queries = [
            f"url={quote(f'{server.url}/image?cache=max-age={n}', safe='')}&width=100" for n in range(5)
        ]
        return await asyncio.gather(*(optimiser.respond(query, domains=(HOST,)) for query in queries))

    answers = optimiser.run(many())
    assert sorted(answer.status for answer in answers) == [200, 200, 503, 503, 503]
    assert {answer.headers.get("Retry-After") for answer in answers} == {None, "1"}


@contextmanager
def resolving(monkeypatch, **names: str) -> Iterator[None]:
    async def getaddrinfo(self, host, port, **kwargs):
        address = names.get(host.partition(".")[0], host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
        yield


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
    ],
)
def test_private_addresses_are_never_reached(tmp_path, monkeypatch, address):
    literal = f"[{address}]" if ":" in address else address
    with running_optimiser(tmp_path) as strict, resolving(monkeypatch, evil=address):
        for host in (literal, "evil.example"):
            answer = ask(strict, f"https://{host}/image", domains=(literal, "evil.example"))
            assert (answer.status, answer.body) == (
                400,
                b"url leads to an address that sites may not reach\n",
            ), host


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "2130706433", "0x7f.1", "127.1"])
def test_other_spellings_of_private_addresses(tmp_path, host):
    with running_optimiser(tmp_path) as strict:
        answer = ask(strict, f"https://{host}/image", domains=(host,))
    assert (answer.status, answer.body) == (400, b"url leads to an address that sites may not reach\n")
