"""A hand-written Node server on a WEB_COMPUTE app: deployed, visited, killed and replaced in use."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.processes import processes_of
from tests.support.repositories import new_repository
from tests.support.ssr import MANIFEST, bundle, deploy, node_processes, picture, size_of

pytestmark = [pytest.mark.needs("git", "bwrap", "node")]

STREAM_SECONDS = float(os.environ.get("PREAMP_TEST_STREAM_SECONDS", "2"))
LARGE = 50 * 1024 * 1024
FLAT = 24 * 1024 * 1024
"""Bytes by which memory may grow while LARGE goes through: buffers, not bodies."""
SPEC = """\
version: 1
frontend:
  phases:
    build:
      commands:
        - mkdir .amplify-hosting
        - cp -r bundle/. .amplify-hosting/
  artifacts:
    baseDirectory: .amplify-hosting
    files: ['**/*']
"""


@dataclass
class Site:
    """An app with one branch, main."""

    preamp: Preamp
    client: Any
    app_id: str

    @property
    def host(self) -> str:
        return f"main.{self.app_id}.{self.preamp.address()['site_domain']}"

    def deploy(self, files: Mapping[str, str | bytes]) -> dict[str, Any]:
        """The job when it is over."""
        return deploy(self.client, self.app_id, files)

    def succeed(self, files: Mapping[str, str | bytes]) -> dict[str, Any]:
        job = self.deploy(files)
        assert job["summary"]["status"] == "SUCCEED", [step.get("statusReason") for step in job["steps"]]
        return job

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.preamp.edge, timeout=60)

    @contextmanager
    def opened(
        self, path: str, method: str = "GET", **headers: str
    ) -> Iterator[tuple[http.client.HTTPConnection, http.client.HTTPResponse]]:
        connection = self.connection()
        try:
            connection.request(method, path, headers={"Host": self.host, **headers})
            yield connection, connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Read already: see `text`."""
        with self.opened(path, method, **headers) as (_, answer):
            answer.text = answer.read().decode()  # type: ignore[attr-defined]
            return answer

    def text(self, path: str = "/") -> str:
        return self.get(path).text  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("ssr") / "data") as it:
        yield it


def new_site(preamp: Preamp, **app: Any) -> Site:
    client = preamp.client()
    app_id = client.create_app(**{"name": "ssr", "platform": "WEB_COMPUTE", **app})["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    return Site(preamp, client, app_id)


@pytest.fixture(scope="module")
def site(preamp: Preamp) -> Site:
    found = new_site(preamp)
    found.succeed(bundle(1))
    return found


def log_of(job: dict[str, Any], step: str) -> str:
    url = next(item["logUrl"] for item in job["steps"] if item["stepName"] == step)
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


# What answers


def test_pages_files_and_what_the_application_says(site: Site) -> None:
    page = site.get("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text == "<h1>release 1</h1>"
    file = site.get("/logo.svg")
    assert (file.status, file.headers["cache-control"]) == (200, "public, max-age=2")
    assert file.text == "<svg><!-- 1 --></svg>"
    assert site.text("/made.txt") == "made by the server", "the fallback of the static route"
    for path, status, text in (
        ("/fails", 500, "the application says so"),
        ("/none", 404, "the application has nothing here"),
        ("/none.txt", 404, "the application has nothing here"),
    ):
        answer = site.get(path)
        assert (answer.status, answer.text) == (status, text)
    assert site.get("/made.txt", "POST").status == 405
    for path in ("/deploy-manifest.json", "/compute/default/index.js", "/static/logo.svg"):
        assert site.get(path).status == 404, "only what is below static/ is a file of the site"


def test_what_the_application_is_told(site: Site) -> None:
    told = json.loads(site.get("/told?a=%2F&b=%C3%BC", **{"X-Own": "1", "Connection": "close"}).text)
    assert told["url"] == "/told?a=%2F&b=%C3%BC"
    assert told["headers"]["host"] == site.host
    assert told["headers"]["x-forwarded-host"] == site.host
    assert told["headers"]["x-forwarded-proto"] == "http"
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert told["headers"]["x-own"] == "1"


def test_from_a_repository_and_back_as_artifacts(preamp: Preamp, tmp_path: Path) -> None:
    files = bundle(3)
    work = {f"bundle/{path}": text for path, text in files.items()}
    repository = new_repository(tmp_path, {"amplify.yml": SPEC, **work})
    site = new_site(preamp, repository=repository.url)
    site.client.start_job(appId=site.app_id, branchName="main", jobType="RELEASE")
    job = wait_for_job(site.client, site.app_id, "main", "1")
    assert job["summary"]["status"] == "SUCCEED", job
    assert "The output is a bundle of own 1.0.0." in log_of(job, "DEPLOY")
    assert site.text("/") == "<h1>release 3</h1>"
    with urllib.request.urlopen(job["steps"][0]["artifactsUrl"]) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert {name: archive.read(name).decode() for name in archive.namelist()} == files


def test_explain_names_the_route(preamp: Preamp, site: Site) -> None:
    done = preamp.run("explain", f"http://{site.host}/made.txt")
    assert done.returncode == 0, done.stderr
    assert "route     2: /*.* -> Static, else Compute" in done.stdout
    assert "status    is for the server of the release to say" in done.stdout


@pytest.mark.parametrize("source", ["/photo.png", "/made.png"])
def test_images_of_files_and_of_the_server(preamp: Preamp, source: str) -> None:
    site = new_site(preamp)
    files: dict[str, str | bytes] = {
        **bundle(1),
        "static/photo.png": picture(64, 48),
        "compute/default/picture.png": picture(64, 48),
    }
    site.succeed(files)
    with site.opened(f"/_image?url={source}&width=32") as (_, answer):
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["cache-control"] == "public, max-age=60"
        assert size_of(answer.read()) == (32, 24)
    with site.opened(f"/_image?url={source}&width=16", Accept="image/webp,*/*") as (_, answer):
        assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
    assert site.get(f"/_image?url={source}&width=17").status == 400
    assert site.get("/_image?url=/_image%3Furl=/photo.png&width=16").status == 404
    assert site.get("/_image?url=/none.png&width=16").status == 404


# What is refused


def test_a_bundle_on_another_platform_is_files_and_says_so(preamp: Preamp) -> None:
    site = new_site(preamp, platform="WEB")
    job = site.succeed({**bundle(1), "index.html": "plain"})
    assert "update-app --platform WEB_COMPUTE" in log_of(job, "DEPLOY")
    assert site.text("/") == "plain"
    assert json.loads(site.text("/deploy-manifest.json")) == MANIFEST


def test_no_bundle_fails_the_job_and_a_static_site_is_served(preamp: Preamp) -> None:
    site = new_site(preamp)
    job = site.deploy({"server.js": ""})
    assert job["summary"]["status"] == "FAILED"
    reason = job["steps"][0]["statusReason"]
    assert reason.startswith(
        "CustomerError: Failed to find the deploy-manifest.json file in the build output."
    )
    job = site.succeed({"index.html": "static"})
    assert "has no deploy-manifest.json" in log_of(job, "DEPLOY")
    assert site.text("/") == "static"


def test_a_wrong_manifest_fails_the_job_and_the_site_stays(preamp: Preamp) -> None:
    site = new_site(preamp)
    site.succeed(bundle(1))
    wrong = json.dumps(MANIFEST).replace(
        '"/*", "target": {"kind": "Compute"', '"/*", "target": {"kind": "Lambda"'
    )
    job = site.deploy({**bundle(2), "deploy-manifest.json": wrong})
    assert job["summary"]["status"] == "FAILED"
    assert "routes[2].target.kind is 'Lambda'" in job["steps"][0]["statusReason"]
    assert site.text("/") == "<h1>release 1</h1>"


# Streams and large bodies


def test_the_first_piece_comes_before_the_last_is_made(site: Site) -> None:
    with site.opened("/pieces") as (_, answer):
        assert answer.readline() == b"first\n"
        assert site.text("/go") == "1", "the server has not ended its answer yet"
        assert answer.read() == b"last\n"


def test_server_sent_events(site: Site) -> None:
    """PREAMP_TEST_STREAM_SECONDS=60 makes it as long as proxies like to cut."""
    count = int(STREAM_SECONDS / 0.25)
    with site.opened(f"/events?n={count}&ms=250") as (_, answer):
        assert answer.headers["content-type"] == "text/event-stream"
        arrived = []
        while line := answer.readline():
            if line.startswith(b"data: "):
                arrived.append(time.monotonic())
    assert len(arrived) == count
    assert arrived[-1] - arrived[0] > (count - 1) * 0.25 / 2, "each came when it was made"


def test_a_tunnel(site: Site) -> None:
    name, _, port = site.preamp.edge.rpartition(":")
    with socket.create_connection((name, int(port)), timeout=30) as peer:
        peer.sendall(
            f"GET /socket HTTP/1.1\r\nHost: {site.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        file = peer.makefile("rb")
        assert file.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        while file.readline() != b"\r\n":
            pass
        for _ in range(3):
            peer.sendall(b"ping\n")
            assert file.readline() == b"ping\n"


def download(site: Site) -> int:
    total = 0
    with site.opened(f"/large?bytes={LARGE}") as (_, answer):
        while data := answer.read(1 << 18):
            total += len(data)
    return total


def upload(site: Site) -> int:
    connection = site.connection()
    try:
        pieces = (bytes(1 << 18) for _ in range(LARGE >> 18))
        connection.request("POST", "/upload", pieces, {"Host": site.host, "Content-Length": str(LARGE)})
        return int(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.parametrize("transfer", [download, upload])
def test_large_bodies_need_no_memory(preamp: Preamp, site: Site, transfer: Callable[[Site], int]) -> None:
    site.text("/")
    pids = processes_of(preamp, "edge") + processes_of(preamp, "compute")
    assert len(pids) >= 2
    before = {pid: memory(pid, "VmRSS") for pid in pids}
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from now on
    assert transfer(site) == LARGE
    grown = {pid: memory(pid, "VmHWM") - before[pid] for pid in pids}
    print(f"peak above the memory before, MB: {[round(size / 1e6, 1) for size in grown.values()]}")
    assert max(grown.values()) < FLAT


def memory(pid: int, name: str) -> int:
    """Bytes."""
    match = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


# Under load


@dataclass
class Load:
    """Visitors that come one after the other until told to stop."""

    site: Site
    stop: threading.Event = field(default_factory=threading.Event)
    good: list[tuple[float, str]] = field(default_factory=list)
    """When a request began, and its answer."""
    bad: list[tuple[float, float, str]] = field(default_factory=list)
    """When a request began and failed, and how."""

    def visit(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                answer = self.site.get("/")
            except (OSError, http.client.HTTPException) as error:
                self.bad.append((began, time.monotonic(), repr(error)))
            else:
                if answer.status == 200:
                    self.good.append((began, answer.text))
                else:
                    self.bad.append((began, time.monotonic(), f"{answer.status} {answer.text}"))

    def more(self, count: int = 50) -> None:
        """Wait for so many further answers."""
        wanted = len(self.good) + count
        until(lambda: len(self.good) >= wanted, "more answers")


@contextmanager
def load(site: Site) -> Iterator[Load]:
    it = Load(site)
    threads = [threading.Thread(target=it.visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        it.more()
        yield it
    finally:
        it.stop.set()
        for thread in threads:
            thread.join()


def test_a_killed_server_costs_the_requests_under_way_and_nothing_else(preamp: Preamp) -> None:
    assert preamp.process is not None
    others = set(node_processes(preamp.process.pid))
    site = new_site(preamp)
    site.succeed(bundle(1))
    site.text("/")
    (victim,) = set(node_processes(preamp.process.pid)) - others
    with load(site) as visitors:
        os.kill(victim, signal.SIGKILL)
        until(lambda: not alive(victim), "the server to be dead")
        dead = time.monotonic()
        assert site.text("/") == "<h1>release 1</h1>", "the very next request is answered"
        visitors.more()
    late = [failed for failed in visitors.bad if failed[0] > dead]
    assert not late, f"requests that began after the death failed: {late}"
    print(f"{len(visitors.good)} answers, {len(visitors.bad)} requests cut by the kill")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_new_release_under_load_fails_nobody(preamp: Preamp) -> None:
    site = new_site(preamp)
    site.succeed(bundle(1))
    with load(site) as visitors:
        for version in (2, 3):
            site.succeed(bundle(version))
            switched = time.monotonic()
            visitors.more()
            until(
                lambda: visitors.good[-1][0] > switched,  # noqa: B023
                "answers of requests after the switch",
            )
            after = {text for began, text in visitors.good if began > switched}
            assert after == {f"<h1>release {version}</h1>"}
    assert visitors.bad == []
    print(f"{len(visitors.good)} answers over 2 switches")


def test_an_answer_under_way_outlives_the_switch(preamp: Preamp) -> None:
    site = new_site(preamp)
    site.succeed(bundle(1))
    with site.opened("/events?n=8&ms=250") as (_, answer):
        assert answer.readline() == b"data: 8\n"
        site.succeed(bundle(2))
        assert site.text("/") == "<h1>release 2</h1>"
        assert answer.read().endswith(b"data: 1\n\n"), "the server before ends what it began"
