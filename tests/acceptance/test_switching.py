"""`preamp rollback` and `preamp promote` on a running server: the pages follow, nothing is built."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from urllib.request import Request, urlopen

from tests.support.preamp import running, until, wait_for_job


def test_pages_follow_a_rollback_and_a_promotion(tmp_path: Path) -> None:
    with running(tmp_path / "data") as preamp:
        client = preamp.client()
        app_id = client.create_app(name="site")["app"]["appId"]
        for branch in ("main", "next"):
            client.create_branch(appId=app_id, branchName=branch)
        for text, branch in (("one", "main"), ("two", "main"), ("three", "next")):
            created = client.create_deployment(appId=app_id, branchName=branch)
            _put(created["zipUploadUrl"], tmp_path, text)
            client.start_deployment(appId=app_id, branchName=branch, jobId=created["jobId"])
            job = wait_for_job(client, app_id, branch, created["jobId"])
            assert job["summary"]["status"] == "SUCCEED"
        until(lambda: preamp.fetch(app_id, "main") == (200, b"two"), "the second page")
        done = preamp.run("rollback", "site", "main")
        assert (done.returncode, done.stdout) == (0, "main serves job 1 again (it was job 2)\n"), done.stderr
        until(lambda: preamp.fetch(app_id, "main") == (200, b"one"), "the page before", seconds=10)
        begun = time.monotonic()
        done = preamp.run("promote", "site", "next", "main", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["toJob"] == 3
        until(lambda: preamp.fetch(app_id, "main") == (200, b"three"), "the promoted page", seconds=10)
        print(f"promotion, command included: {time.monotonic() - begun:.2f} s")
        done = preamp.run("rollback", "site", "main", "7")
        assert (done.returncode, done.stderr) == (2, "Error: The job 7 of branch main has no release.\n")


def _put(url: str, folder: Path, text: str) -> None:
    archive = folder / f"{text}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.html", text)
    with urlopen(Request(url, data=archive.read_bytes(), method="PUT")) as answer:
        assert answer.status == 200
