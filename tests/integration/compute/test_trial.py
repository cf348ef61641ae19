"""VERIFY of releases with a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from preamp.build.request import Credentials
from preamp.build.sandbox import probe
from preamp.model.compute import Compute
from preamp.model.hosting import AppHosting, BranchHosting
from preamp.model.jobs import Attempt
from preamp.model.secrets import Secret
from preamp.release.errors import VerifyError
from preamp.settings import Settings
from preamp.store.hosting_options import set_app_hosting
from preamp.store.manifests import read_manifest
from preamp.store.releases import get_release
from preamp.worker.steps import StepLog
from preamp.worker.target import Target
from preamp.worker.trial import ServerTrial
from tests.integration.compute.support import Site, new_site

pytestmark = pytest.mark.needs("bwrap", "node")


class Text:
    def __init__(self) -> None:
        self.text = ""

    def write(self, data: bytes) -> None:
        self.text += data.decode()

    def close(self) -> None:
        return


class Trial:
    """Tries servers as a worker does."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.secrets: dict[str, Secret] = {}

    def run(self, server: str, **settings: object) -> str:
        """The log. Raises VerifyError."""
        return asyncio.run(self.run_in_loop(server, **settings))

    async def run_in_loop(self, server: str, **settings: object) -> str:
        site = self.site
        values = {"data": site.folder.root, "compute_start_seconds": 5, **settings}
        trial = ServerTrial(
            database=site.database,
            folder=site.folder,
            settings=Settings(**values),  # type: ignore[arg-type]
            sandbox=probe(),
            blobs=site.blobs,
        )
        target = Target(
            app=site.app,
            branch=site.branch,
            credentials=Credentials(),
            secrets=self.secrets,
            production_branch=None,
            built_commit=None,
        )
        log = Text()
        attempt = Attempt(branch_id=site.branch.branch_id, number=9, attempt=1)
        check = trial.of(target, attempt, 0)
        try:
            await check(self.compute(server), StepLog(log))
        finally:
            places = site.folder.run / "compute"
            assert not places.exists() or not list(places.iterdir())
        return log.text

    def compute(self, server: str) -> Compute:
        release_id = self.site.release(server, serve=False)
        with self.site.database.read() as conn:
            release = get_release(conn, release_id)
        assert release is not None
        found = read_manifest(self.site.blobs, release.manifest).compute
        assert found is not None
        return found


@pytest.fixture
def trial() -> Iterator[Trial]:
    with new_site() as site:
        yield Trial(site)


def answering(status: int, more: str = "") -> str:
    return f"""
        require("node:http").createServer((request, response) => {{
          console.log(request.method, request.url, request.headers.host);
          {more}
          response.statusCode = {status};
          response.end("x");
        }}).listen(3000);
    """


@pytest.mark.parametrize("status", [200, 302, 404])
def test_answers_that_are_the_site_s_own_business(trial: Trial, status: int) -> None:
    log = trial.run(answering(status))
    assert f"/ gave status {status} after " in log
    assert "The server listened after " in log


def test_an_error_at_the_root(trial: Trial) -> None:
    with pytest.raises(VerifyError) as caught:
        trial.run(answering(500, "console.error('no table users');"), site_domain="sites.test")
    text = str(caught.value)
    assert "fails at /: status 500" in text
    assert "the previous release stays live" in text
    assert "preamp compute verify APP off" in text
    host = f"main.{trial.site.app.app_id}.sites.test"
    assert text.endswith(f"GET / {host}\nno table users")


def test_an_error_at_the_root_that_is_allowed(trial: Trial) -> None:
    with trial.site.database.write() as tx:
        set_app_hosting(tx.conn, trial.site.app.app_id, replace(AppHosting(), verify_root=False))
    log = trial.run(answering(503, "console.log('later');"))
    assert "[WARNING]: The server of this release fails at /: status 503" in log
    assert "later" in log


@pytest.mark.parametrize(
    ("server", "text"),
    [
        ("throw new Error('missing DATABASE_URL');", r"does not start.*exited with 1(?s:.*)DATABASE_URL"),
        ("setInterval(() => {}, 1000);", "did not listen on port 3000"),
        (answering(200, "process.exit(4);"), "fails at /: no answer: the connection was closed"),
        (answering(200, "return;"), "fails at /: no answer within 1 s"),
    ],
)
def test_servers_that_cannot_be_served(trial: Trial, server: str, text: str) -> None:
    with pytest.raises(VerifyError, match=text):
        trial.run(server, compute_start_seconds=1 if "exit(4)" not in server else 5)


def test_secrets_of_an_opted_in_branch(trial: Trial) -> None:
    trial.site.options(BranchHosting(runtime_variables=True))
    secret = Secret(
        app_id=trial.site.app.app_id,
        branch="main",
        name="TOKEN",
        value="verysecrettoken",
        as_variable=True,
        updated_ms=0,
    )
    trial.secrets = {"TOKEN": secret}
    with pytest.raises(VerifyError) as caught:
        trial.run("console.log(process.env.TOKEN, process.env.GREETING); process.exit(1);")
    assert "**** hello" in str(caught.value)
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize("server", [answering(200, "return;"), "setInterval(() => {}, 1000);"])
def test_a_stop_leaves_nothing(trial: Trial, server: str) -> None:
    async def main() -> None:
        running = asyncio.create_task(trial.run_in_loop(server, compute_start_seconds=60))
        await asyncio.sleep(1.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_stop_while_the_sandbox_starts_leaves_no_descriptors(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> int:
        begun = asyncio.Event()

        async def start(*_: object) -> None:
            begun.set()
            await asyncio.sleep(60)

        monkeypatch.setattr("preamp.build.sandbox.bwrap.BwrapSandbox.start", start)
        running = asyncio.create_task(trial.run_in_loop(answering(200)))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return len(list(Path("/proc/self/fd").iterdir()))

    assert asyncio.run(main()) == asyncio.run(main())
