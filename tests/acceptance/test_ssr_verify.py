"""A server that is broken never replaces one that works, and its log can be read."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.preamp import Preamp, running, until
from tests.support.ssr import bundle, deploy

pytestmark = [pytest.mark.needs("bwrap", "node")]

BROKEN = """
require("node:http").createServer((request, response) => {
  console.error("relation users does not exist");
  response.statusCode = 500;
  response.end("it broke");
}).listen(process.env.PORT);
"""


@pytest.fixture
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("verify") / "data") as it:
        yield it


def test_the_previous_release_stays(preamp: Preamp) -> None:
    client = preamp.client()
    app_id = client.create_app(name="shop", platform="WEB_COMPUTE")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    assert deploy(client, app_id, bundle(1))["summary"]["status"] == "SUCCEED"
    assert preamp.fetch(app_id, "main") == (200, b"<h1>release 1</h1>")

    job = deploy(client, app_id, bundle(2, BROKEN))
    assert job["summary"]["status"] == "FAILED"
    verify = job["steps"][-1]
    assert verify["stepName"] == "VERIFY"
    with urllib.request.urlopen(verify["logUrl"]) as answer:
        log = answer.read().decode()
    for text in ("status 500", "the previous release stays live", "relation users does not exist"):
        assert text in log
    assert preamp.fetch(app_id, "main") == (200, b"<h1>release 1</h1>")

    assert preamp.run("compute", "verify", "shop", "off").returncode == 0
    assert deploy(client, app_id, bundle(3, BROKEN))["summary"]["status"] == "SUCCEED"
    until(lambda: preamp.fetch(app_id, "main") == (500, b"it broke"), "the switch")

    def printed() -> str:
        done = preamp.run("logs", "compute", "shop", "main")
        assert done.returncode == 0, done.stderr
        return done.stdout

    until(lambda: "relation users does not exist" in printed(), "the server's log")
    assert "# The server started in " in printed()
    old = preamp.run("logs", "compute", "shop", "main", "--job", "1").stdout
    assert "release 1 listens" in old
    none = preamp.run("logs", "compute", "shop", "main", "--job", "2")
    assert none.returncode != 0
    assert "never ran on this machine" in none.stderr
