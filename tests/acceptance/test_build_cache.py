"""Build caches of a running server: unpacked after a job, under the workspace of the next, cleared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from preamp.build import mounts
from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.repositories import new_repository

SPEC = """version: 1
frontend:
  phases: {build: {commands: ['mkdir -p dist deps; echo x >> deps/count; cp deps/count dist/index.html',
    '[ -f deps/big ] || head -c 3000000 /dev/urandom > deps/big']}}
  artifacts: {baseDirectory: dist, files: ['**/*']}
  cache: {paths: ['deps/**/*']}
"""


def build(client: Any, app_id: str) -> str:
    """A job; the log of its BUILD step."""
    job_id = client.start_job(appId=app_id, branchName="main", jobType="RELEASE")["jobSummary"]["jobId"]
    job = wait_for_job(client, app_id, "main", job_id)
    assert job["summary"]["status"] == "SUCCEED", job
    with urllib.request.urlopen(job["steps"][0]["logUrl"]) as answer:
        return str(answer.read().decode())


def mounted(preamp: Preamp) -> bool:
    return str(preamp.data) in Path("/proc/self/mountinfo").read_text()


@pytest.mark.needs("git", "bwrap")
@pytest.mark.timeout(300)
def test_the_cache_of_a_branch(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        rehearsal = subprocess.run([sys.executable, mounts.__file__], capture_output=True, text=True)
        if rehearsal.returncode:
            pytest.skip(f"no mounts without root: {rehearsal.stderr.splitlines()[-1]}")
    repository = new_repository(tmp_path, {"amplify.yml": SPEC})
    with running(tmp_path / "data") as preamp:
        snapshots = preamp.data / "cache" / ".snapshots"

        def unpacked() -> bool:
            return any(snapshots.glob("[!.]*/about.json"))

        client = preamp.client()
        app_id = client.create_app(name="site", repository=repository.url)["app"]["appId"]
        client.create_branch(appId=app_id, branchName="main")
        assert "this build starts cold" in build(client, app_id)
        until(unpacked, "the snapshot")
        assert "(overlay)" in build(client, app_id)
        assert preamp.fetch(app_id, "main") == (200, b"x\nx\n")
        assert not mounted(preamp)
        listed = json.loads(preamp.run("cache", "list", "--json").stdout)
        assert [(entry["appId"], entry["branch"]) for entry in listed] == [(app_id, "main")]
        assert listed[0]["bytes"] > 6_000_000, "the archive and the snapshot"
        cleared = preamp.run("cache", "clear", "site")
        assert cleared.stdout == f"{listed[0]['bytes'] / 1e6:.1f} MB freed\n", cleared.stderr
        assert json.loads(preamp.run("cache", "list", "--json").stdout) == []
        assert "this build starts cold" in build(client, app_id)
        preamp.stop()
        preamp.environment = {"PREAMP_CACHE_SNAPSHOT_BYTES": "0"}
        preamp.start()
        assert "(unpacked, " in build(client, app_id)
