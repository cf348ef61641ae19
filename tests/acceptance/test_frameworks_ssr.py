"""The sample projects with a server: built through the API, fetched through the edge.

Installing and building all of them takes minutes, so only one of each kind is built by default.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_examples import log_of, repository_of
from tests.conftest import MISSING
from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.repositories import Repository

SWITCH = "PREAMP_TEST_ALL_SAMPLES"
LONGEST_BUILD_S = 600.0
LONGEST_BUILD = pytest.mark.timeout(LONGEST_BUILD_S + 60)
every_sample = pytest.mark.skipif(not os.environ.get(SWITCH), reason=f"takes minutes: set {SWITCH}=1")
pytestmark = [pytest.mark.needs("git", "bwrap", "node", "npm"), LONGEST_BUILD]


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("frameworks") / "data") as it:
        yield it


@pytest.fixture(scope="session")
def reachable() -> bool:
    asked = ["npm", "view", "express", "version", "--fetch-retries=0", "--fetch-timeout=10000"]
    try:
        return subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@pytest.fixture(autouse=True)
def npm_registry(request: pytest.FixtureRequest, reachable: bool) -> None:
    """Without one nothing can be installed: the test is listed as not run, and fails in CI."""
    if reachable:
        return
    request.node.user_properties.append((MISSING, "npm registry"))
    if os.environ.get("CI") == "true":
        pytest.fail("no npm registry answers: in CI there has to be one", pytrace=False)
    pytest.skip("needs an npm registry, and none answers")


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True, kw_only=True)
class Site:
    preamp: Preamp
    client: Any
    app_id: str

    @property
    def host(self) -> str:
        return f"main.{self.app_id}.{self.preamp.address()['site_domain']}"

    def start(self) -> str:
        started = self.client.start_job(appId=self.app_id, branchName="main", jobType="RELEASE")
        return str(started["jobSummary"]["jobId"])

    def wait(self, job_id: str) -> dict[str, Any]:
        job = wait_for_job(self.client, self.app_id, "main", job_id, LONGEST_BUILD_S)
        assert job["summary"]["status"] == "SUCCEED", [step.get("statusReason") for step in job["steps"]]
        return job

    def build(self) -> str:
        """The log of its BUILD step."""
        return log_of(self.wait(self.start()))

    @contextmanager
    def open(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.preamp.edge, timeout=60)
        try:
            connection.request(method, path, body, {"Host": self.host, **headers})
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()

    def get(self, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        with self.open(path, method, body, **headers) as answer:
            return Answer(status=answer.status, headers=answer.headers, body=answer.read())

    def page(self, path: str = "/") -> str:
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, answer.body[:500])
        return answer.text


def new_site(preamp: Preamp, repository: Repository, **app: Any) -> Site:
    client = preamp.client()
    wanted = {"name": "frameworks", "platform": "WEB_COMPUTE", "repository": repository.url, **app}
    app_id = client.create_app(**wanted)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    return Site(preamp=preamp, client=client, app_id=app_id)


def sample(preamp: Preamp, name: str, folder: Path, **app: Any) -> Site:
    return new_site(preamp, repository_of(name, folder), **app)


def check_api(site: Site) -> None:
    assert json.loads(site.page("/api/hello?name=you&b=%2F"))["hello"] == "you"


def test_express(preamp: Preamp, tmp_path: Path) -> None:
    site = sample(preamp, "express", tmp_path)
    site.build()
    assert f"For <b>{site.host}</b>" in site.page()
    check_api(site)
    style = site.get("/style.css")
    assert (style.status, style.headers["Cache-Control"]) == (200, "public, max-age=60")
    assert json.loads(site.get("/api/count", "POST", bytes(3_000_000)).body) == {"bytes": 3_000_000}
    missing = site.get("/missing.css")
    assert (missing.status, "Cannot GET /missing.css" in missing.text) == (404, True)
    with site.open("/api/ticks") as ticks:
        assert ticks.headers["Content-Type"].startswith("text/event-stream")
        assert [ticks.readline() for _ in range(3)] == [b"data: 1\n", b"\n", b"data: 2\n"]


def test_sveltekit(preamp: Preamp, tmp_path: Path) -> None:
    site = sample(preamp, "sveltekit-ssr", tmp_path)
    assert "generated for SvelteKit with amplify-adapter" in site.build()
    page = site.page()
    assert f"For <b>{site.host}</b>" in page
    script = re.search(r'"\./(_app/immutable/entry/start\.[^"]+\.js)"', page)
    assert script is not None
    assert site.get(f"/{script[1]}").headers["Cache-Control"] == "public, max-age=3600"
    assert site.page("/hello.txt") == "Plain text from static/\n"
    assert "Rendered when it was built" in site.page("/about")
    check_api(site)


def test_two_nitro_servers_that_insist_on_the_same_port(preamp: Preamp, tmp_path: Path) -> None:
    repository = repository_of("nitro", tmp_path)
    sites = [new_site(preamp, repository) for _ in range(2)]
    jobs = [site.start() for site in sites]
    for site, job in zip(sites, jobs, strict=True):
        assert "generated for Nitro" in log_of(site.wait(job))
    for _ in range(2):  # each of them again after the other
        for site in sites:
            assert f"For <b>{site.host}</b>" in site.page()
            assert site.page("/hello.txt") == "Plain text from public/\n"
            check_api(site)


@every_sample
def test_nuxt(preamp: Preamp, tmp_path: Path) -> None:
    site = sample(preamp, "nuxt", tmp_path)
    assert "generated for Nuxt" in site.build()
    page = site.page()
    assert "The API said hello, Nuxt, by Node v" in page.replace("<!--", "").replace("-->", "")
    script = re.search(r'src="(/_nuxt/[^"]+\.js)"', page)
    assert script is not None
    assert site.get(script[1]).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "<h1>About</h1>" in site.page("/about")
    assert site.get("/nothing").status == 404


def test_astro(preamp: Preamp, tmp_path: Path) -> None:
    rule = {"source": "/about", "target": "/about/index.html", "status": "200"}
    site = sample(preamp, "astro-ssr", tmp_path, customRules=[rule])
    assert "generated for Astro with astro-aws-amplify" in site.build()
    assert re.search(rf"For <b[^>]*>{re.escape(site.host)}</b> by Node v22\.", site.page())
    assert "Rendered when it was built" in site.page("/about")
    assert site.page("/hello.txt") == "Plain text from public/\n"
    check_api(site)


def test_next(preamp: Preamp, tmp_path: Path) -> None:
    site = sample(preamp, "next-standalone", tmp_path)
    log = site.build()
    assert "generated for Next.js" in log
    assert re.search(r"# Next\.js 15\.[\d.]+ found: its standalone output bundled for a server", log)
    front = site.get()
    assert front.headers["x-seen-by-middleware"] == "/"
    assert f'<b id="host">{site.host}</b>' in front.text
    script = re.search(r'src="(/_next/static/[^"]+\.js)"', front.text)
    assert script is not None
    asset = site.get(script[1])
    assert (asset.status, asset.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert asset.headers["x-seen-by-middleware"] is None, "the edge has it"
    assert "Rendered when it was built" in site.page("/about")
    assert site.page("/hello.txt") == "Plain text from public/\n"
    assert site.get("/nothing").status == 404
    check_api(site)
    assert json.loads(site.get("/api/hello", "POST", bytes(2_000_000)).body) == {"bytes": 2_000_000}
    check_images(site)
    check_stream(site)
    check_made_again(site)


def check_images(site: Site) -> None:
    source = re.search(r'src="(/_next/image\?[^"]+)"', site.page("/photo"))
    assert source is not None
    for cached in ("MISS", "HIT"):
        image = site.get(source[1].replace("&amp;", "&"), Accept="image/webp,*/*")
        assert (image.status, image.headers["Content-Type"]) == (200, "image/webp")
        assert image.body[8:12] == b"WEBP"
        assert image.headers["X-Nextjs-Cache"] == cached, (
            "what it made is kept although the bundle is read-only"
        )
    assert site.get("/_next/image?url=%2Fhills.png&w=17&q=75").status == 400


def check_stream(site: Site) -> None:
    with site.open("/stream") as answer:
        seen = b""
        while b"This came at once" not in seen:
            piece = answer.read1(65536)
            assert piece, seen
            seen += piece
        assert b"a second and a half later" not in seen, "the first part is sent before the last is made"
        assert b"a second and a half later" in answer.read()


def check_made_again(site: Site) -> None:
    """Incremental static regeneration: the page is made again in the background, and then stays."""

    def shown() -> str:
        found = re.search(r"<time>([^<]+)</time>", site.page("/news"))
        assert found is not None
        return found[1]

    first = shown()
    until(lambda: shown() != first, "the page to be made again")


@every_sample
def test_next_with_production_dependencies(preamp: Preamp, tmp_path: Path) -> None:
    """Where the standalone output is switched off."""
    repository = repository_of("next-standalone", tmp_path)
    repository.commit({"next.config.mjs": "export default { basePath: '/docs' };\n"})
    variables = {"NEXT_PRIVATE_STANDALONE": ""}
    site = new_site(preamp, repository, environmentVariables=variables)
    assert "its output and the production dependencies bundled" in site.build()
    assert "Rendered when it was built" in site.page("/docs/about")
    script = re.search(r'src="(/docs/_next/static/[^"]+\.js)"', site.page("/docs"))
    assert script is not None
    assert "immutable" in site.get(script[1]).headers["Cache-Control"]
    assert site.page("/docs/hello.txt") == "Plain text from public/\n"
    assert site.get("/about").status == 404


@every_sample
@pytest.mark.parametrize(
    ("platform", "folder"), [("WEB", "out"), ("WEB_COMPUTE", "out"), ("WEB_COMPUTE", ".next")]
)
def test_next_export(preamp: Preamp, tmp_path: Path, platform: str, folder: str) -> None:
    repository = repository_of("next-export", tmp_path)
    spec = (repository.work / "amplify.yml").read_text()
    repository.commit({"amplify.yml": spec.replace("baseDirectory: out", f"baseDirectory: {folder}")})
    site = new_site(preamp, repository, platform=platform)
    site.build()
    assert "<h1>Exported as files</h1>" in site.page()
    assert "<h1>Also a file</h1>" in site.page("/about")
    assert site.get("/nothing").status == 404
