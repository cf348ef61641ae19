"""Uploads of manual deployments over real HTTP: what clients send, and what may go wrong."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from preamp.aws.presign import UrlSigner
from preamp.files.links import PURPOSE, UPLOAD_SECONDS, FileLinks
from preamp.model.jobs import JobState
from preamp.server.listen import listen
from preamp.server.uvicorn_server import serve_app
from preamp.store.branches import get_branch
from tests.support.control import InProcess, app_with_branch, in_process, refused
from tests.support.sources import zip_of
from tests.support.worker import OneWorker

SITE = zip_of({"index.html": "hello"})
GIB = 1024**3


@dataclass
class Served:
    """A control process with a real port."""

    preamp: InProcess
    port: int

    def put(
        self, url: str, body: Any, headers: dict[str, str] | None = None, method: str = "PUT"
    ) -> tuple[int, str, dict[str, str]]:
        """As curl sends it: no content type unless one is named."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, self.target(url), body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    @staticmethod
    def target(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"


@contextmanager
def served(data: Path, **settings: Any) -> Iterator[Served]:
    with in_process(data, **settings) as preamp, listen("127.0.0.1:0", setting="control") as sock:
        ready = threading.Event()
        hold: dict[str, Any] = {}

        async def main() -> None:
            hold["stop"] = stop = asyncio.Event()
            hold["loop"] = asyncio.get_running_loop()
            await serve_app(preamp.control.app, sock, ready=ready.set, stop=stop)

        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        assert ready.wait(60)
        try:
            yield Served(preamp=preamp, port=sock.getsockname()[1])
        finally:
            hold["loop"].call_soon_threadsafe(hold["stop"].set)
            thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("uploads") / "data", max_upload_bytes=3_000_000) as it:
        yield it


@pytest.fixture(scope="module")
def client(server: Served) -> Any:
    return server.preamp.client()


@pytest.fixture
def app_id(client: Any) -> Iterator[str]:
    app_id = app_with_branch(client)
    yield app_id
    client.delete_app(appId=app_id)


def create(client: Any, app_id: str, **more: Any) -> dict[str, Any]:
    return dict(client.create_deployment(appId=app_id, branchName="main", **more))


def deploy(server: Served, client: Any, app_id: str, job_id: str) -> JobState:
    started = client.start_deployment(appId=app_id, branchName="main", jobId=job_id)["jobSummary"]
    assert started["status"] == "PENDING"
    return OneWorker(server.preamp).run(app_id).state


@pytest.mark.parametrize(
    ("headers", "chunked"),
    [
        ({}, False),
        ({"Content-Type": "application/zip"}, False),
        ({"Content-Type": "application/x-zip-compressed"}, False),
        ({"Content-Type": "application/x-www-form-urlencoded"}, False),
        ({}, True),
    ],
)
def test_whatever_clients_say_about_the_body(
    server: Served, client: Any, app_id: str, headers: dict[str, str], chunked: bool
) -> None:
    created = create(client, app_id)
    assert created["fileUploadUrls"] == {}
    body: Any = iter([SITE[:10], SITE[10:]]) if chunked else SITE
    status, _, answered = server.put(created["zipUploadUrl"], body, headers)
    assert status == 200
    assert answered["etag"] == f'"{hashlib.md5(SITE).hexdigest()}"'
    assert deploy(server, client, app_id, created["jobId"]) is JobState.SUCCEED


def exchange(server: Served, url: str, *, expect_body: bytes, headers: str = "") -> list[bytes]:
    """Send a head with Expect, wait for what comes, send the body only when told to."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        target = server.target(url)
        sock.sendall(
            f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(expect_body)}\r\n"
            f"Expect: 100-continue\r\n{headers}Connection: close\r\n\r\n".encode()
        )
        first = sock.recv(65536)
        if not first.startswith(b"HTTP/1.1 100"):
            return [first]
        sock.sendall(expect_body)
        rest = b"".join(iter(lambda: sock.recv(65536), b""))
        return [first, rest]


def test_expect_continue(server: Served, client: Any, app_id: str) -> None:
    created = create(client, app_id)
    first, rest = exchange(server, created["zipUploadUrl"], expect_body=SITE)
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert deploy(server, client, app_id, created["jobId"]) is JobState.SUCCEED


def test_expect_continue_spares_a_body_that_is_refused(server: Served, client: Any, app_id: str) -> None:
    url = create(client, app_id)["zipUploadUrl"]
    (answered,) = exchange(server, url[:-4] + "0000", expect_body=SITE)
    assert answered.startswith(b"HTTP/1.1 403 ")
    (answered,) = exchange(server, url, expect_body=b"x" * 3_000_001)
    assert answered.startswith(b"HTTP/1.1 413 ")


def test_a_file_map_with_its_sums(server: Served, client: Any, app_id: str) -> None:
    files = {"index.html": b"hello", "assets/ü b.js": b"1", "empty.txt": b""}
    sums = {path: hashlib.md5(body).hexdigest() for path, body in files.items()}
    created = create(client, app_id, fileMap={**sums, "index.html": sums["index.html"].upper()})
    assert created["zipUploadUrl"] == ""
    urls = created["fileUploadUrls"]
    assert set(urls) == set(files)
    assert len(set(urls.values())) == 3

    status, text, _ = server.put(urls["index.html"], b"hullo")
    assert status == 400
    assert sums["index.html"] in text
    assert hashlib.md5(b"hullo").hexdigest() in text
    for path in ("assets/ü b.js", "empty.txt"):
        assert server.put(urls[path], files[path])[0] == 200
    with refused("BadRequestException", "Deployment file has not been uploaded"):
        client.start_deployment(appId=app_id, branchName="main", jobId=created["jobId"])
    assert server.put(urls["index.html"], files["index.html"])[0] == 200
    assert server.put(urls["index.html"], b"worse")[0] == 400, "what was good stays"
    assert deploy(server, client, app_id, created["jobId"]) is JobState.SUCCEED


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(server: Served, client: Any, app_id: str, chunked: bool) -> None:
    created = create(client, app_id)
    body: Any = iter([b"x" * 1_500_000] * 3) if chunked else b"x" * 3_000_001
    try:
        status, text, _ = server.put(created["zipUploadUrl"], body)
    except ConnectionError:
        pass  # it was told to stop while it was sending
    else:
        assert status == 413
        assert "max_upload_bytes" in text
    with refused("BadRequestException", "has not been uploaded"):
        client.start_deployment(appId=app_id, branchName="main", jobId=created["jobId"])
    incoming = server.preamp.control.services.folder.blobs / "incoming"
    assert list(incoming.iterdir()) == []


def test_after_start_and_after_stop_nothing_is_taken(server: Served, client: Any, app_id: str) -> None:
    created = create(client, app_id)
    assert server.put(created["zipUploadUrl"], SITE)[0] == 200
    assert server.put(created["zipUploadUrl"], SITE)[0] == 200, "until then as often as wanted"
    assert deploy(server, client, app_id, created["jobId"]) is JobState.SUCCEED
    status, text, _ = server.put(created["zipUploadUrl"], SITE)
    assert status == 403
    assert "takes no uploads" in text
    stopped = create(client, app_id)
    client.stop_job(appId=app_id, branchName="main", jobId=stopped["jobId"])
    assert server.put(stopped["zipUploadUrl"], SITE)[0] == 403


def test_urls_expire(server: Served, client: Any, app_id: str) -> None:
    create(client, app_id)
    services = server.preamp.control.services
    with services.database.read() as conn:
        branch = get_branch(conn, app_id, "main")
    assert branch is not None
    secret = services.master.derive(PURPOSE)
    old = UrlSigner(secret, clock=lambda: time.time() - UPLOAD_SECONDS - 60)
    for signer, expected in ((old, 403), (UrlSigner(secret), 200)):
        url = FileLinks(signer).upload("http://x", branch.branch_id, 1, 0)
        status, text, _ = server.put(url, SITE)
        assert status == expected
        assert ("expired" in text) is (expected == 403)


def test_tampered_urls_are_refused(server: Served, client: Any, app_id: str) -> None:
    url = create(client, app_id)["zipUploadUrl"]
    other = create(client, app_with_branch(client))["zipUploadUrl"]
    parts, elsewhere = urlsplit(url), urlsplit(other)
    expires = int(parts.query.partition("&")[0].removeprefix("expires="))
    for wrong in (
        url.replace(parts.path, elsewhere.path),
        url.replace(str(expires), str(expires + 3600)),
        url.partition("&signature")[0],
        url + "&expires=1",
        url.replace("/0?", "/1?"),
        url.replace("uploads", "artifacts"),
    ):
        status, text, _ = server.put(wrong, SITE)
        assert status == 403, wrong
        assert "signature" in text
    for method in ("GET", "POST", "DELETE"):
        assert server.put(url, None if method == "GET" else SITE, method=method)[0] == 403
    assert server.put(url + "&x-id=PutObject", SITE)[0] == 200, "clients may add parameters of their own"


def test_an_upload_that_breaks_off_leaves_nothing(server: Served, client: Any, app_id: str) -> None:
    created = create(client, app_id)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        target = server.target(created["zipUploadUrl"])
        sock.sendall(f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
        sock.sendall(SITE)
    incoming = server.preamp.control.services.folder.blobs / "incoming"
    deadline = time.monotonic() + 60
    while list(incoming.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with refused("BadRequestException", "has not been uploaded"):
        client.start_deployment(appId=app_id, branchName="main", jobId=created["jobId"])


def test_no_room_on_the_disk(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with served(tmp_path / "data", min_free_bytes=max(0, free - GIB)) as server:
        client = server.preamp.client()
        url = create(client, app_with_branch(client))["zipUploadUrl"]
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
            head = f"PUT {server.target(url)} HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * GIB}\r\n"
            sock.sendall((head + "Expect: 100-continue\r\nConnection: close\r\n\r\n").encode())
            answered = sock.recv(65536)
    assert answered.startswith(b"HTTP/1.1 507 "), answered
