"""The commands against a running server, as a person or a script uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.preamp import Preamp, fetch, running
from tests.support.repositories import STATIC_SPEC, Repository, new_repository

pytestmark = [pytest.mark.needs("git", "bwrap")]


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("cli") / "data") as it:
        yield it


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path, {"index.html": "<h1>built</h1>\n", "amplify.yml": STATIC_SPEC})


def page(preamp: Preamp, url: str) -> bytes:
    status, body = fetch(preamp.edge, urlsplit(url.strip()).netloc, urlsplit(url.strip()).path)
    assert status == 200
    return body


def test_folder_to_url_and_again(preamp: Preamp, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "index.html").write_text("one")
    first = preamp.run("deploy", str(folder))
    assert first.returncode == 0, first.stderr
    assert page(preamp, first.stdout) == b"one"
    (folder / "index.html").write_text("two")
    second = preamp.run("deploy", str(folder), "--json")
    assert second.returncode == 0, second.stderr
    facts = json.loads(second.stdout)
    assert (facts["jobId"], facts["status"], facts["url"]) == ("2", "SUCCEED", first.stdout.strip())
    assert page(preamp, facts["url"]) == b"two"


def test_repository_to_url_then_jobs_and_logs(preamp: Preamp, repository: Repository) -> None:
    done = preamp.run("deploy", str(repository.work), "--app", "built")
    assert done.returncode == 0, done.stderr
    assert page(preamp, done.stdout) == b"<h1>built</h1>\n"
    assert [line.split(" (")[0] for line in done.stderr.splitlines() if line.startswith(("BUILD", "VER"))][
        -2:
    ] == ["BUILD: done", "VERIFY: done"]

    listed = json.loads(preamp.run("jobs", "built", "main", "--json").stdout)
    assert [(job["jobId"], job["status"], job["commitMessage"].strip()) for job in listed] == [
        ("1", "SUCCEED", "change")
    ]
    log = preamp.run("logs", "built", "main", "1")
    assert "# Executing command: cp index.html dist/" in log.stdout
    assert "Deployment finished." in log.stdout
    assert preamp.run("logs", "built", "main", "--follow", "--step", "build").stdout in log.stdout


def test_failed_build_says_why(preamp: Preamp, repository: Repository) -> None:
    repository.commit({"amplify.yml": STATIC_SPEC.replace("mkdir -p dist", "echo no luck; exit 3")})
    done = preamp.run("deploy", str(repository.work), "--app", "broken")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "ended FAILED" in done.stderr
    assert "no luck" in done.stderr


def test_follow_shows_a_build_while_it_runs(preamp: Preamp, repository: Repository) -> None:
    """The build never ends by itself: its log can only be seen while it runs."""
    spec = STATIC_SPEC.replace("mkdir -p dist", "echo waiting for a stop; sleep 600")
    repository.commit({"amplify.yml": spec})
    started = preamp.run("deploy", str(repository.work), "--app", "slow", "--no-wait")
    assert started.returncode == 0, started.stderr
    follower = subprocess.Popen(
        [sys.executable, "-m", "preamp", "logs", "slow", "main", "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PREAMP_DATA": str(preamp.data), "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    try:
        assert follower.stdout is not None
        assert any("waiting for a stop" in line for line in follower.stdout if "Executing" not in line)
        client = preamp.client()
        app_id = next(app["appId"] for app in client.list_apps()["apps"] if app["name"] == "slow")
        client.stop_job(appId=app_id, branchName="main", jobId="1")
        _, errors = follower.communicate(timeout=60)
    finally:
        follower.kill()
        follower.wait()
    assert follower.returncode == 1
    assert "job 1 ended CANCELLED" in errors


def test_env_is_all_that_a_client_needs(preamp: Preamp) -> None:
    script = 'eval "$("$0" -m preamp env)" && "$0" -m preamp jobs no-such-app main'
    env = {**os.environ, "PREAMP_DATA": str(preamp.data)}
    done = subprocess.run(
        ["bash", "-c", script, sys.executable], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "there is no app 'no-such-app'" in done.stderr


def test_second_server_on_the_same_folder_or_port(preamp: Preamp, tmp_path: Path) -> None:
    same = preamp.run(
        "serve", "--data", str(preamp.data), "--control", "127.0.0.1:0", "--edge", "127.0.0.1:0"
    )
    assert same.returncode == 2
    assert "in use by another Preamp" in same.stderr
    port = preamp.run("serve", "--data", str(tmp_path / "data"), "--control", preamp.control)
    assert port.returncode == 2
    assert preamp.control in port.stderr
    assert "Traceback" not in same.stderr + port.stderr
