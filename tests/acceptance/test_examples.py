"""The sample projects, built for real through the API, and their pages fetched."""

from __future__ import annotations

import io
import json
import re
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.preamp import Preamp, running, wait_for_job
from tests.support.repositories import Repository, new_repository

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.needs("git", "bwrap")]


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("examples") / "data") as it:
        yield it


def repository_of(name: str, folder: Path) -> Repository:
    repository = new_repository(folder)
    ignored = shutil.ignore_patterns("node_modules", "dist", ".npm")
    shutil.copytree(ROOT / "examples" / name, repository.work, dirs_exist_ok=True, ignore=ignored)
    repository.commit({})
    return repository


def started(preamp: Preamp, repository: Repository, **app: Any) -> tuple[Any, str]:
    client = preamp.client()
    app_id = client.create_app(name="example", repository=repository.url, **app)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    return client, app_id


def build(client: Any, app_id: str) -> dict[str, Any]:
    job_id = client.start_job(appId=app_id, branchName="main", jobType="RELEASE")["jobSummary"]["jobId"]
    return wait_for_job(client, app_id, "main", job_id)


def succeeded(client: Any, app_id: str) -> dict[str, Any]:
    job = build(client, app_id)
    assert job["summary"]["status"] == "SUCCEED", [step.get("statusReason") for step in job["steps"]]
    return job


def log_of(job: dict[str, Any], step: str = "BUILD") -> str:
    return get(next(item["logUrl"] for item in job["steps"] if item["stepName"] == step)).decode()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def page(preamp: Preamp, app_id: str, path: str = "/") -> str:
    status, body = preamp.fetch(app_id, "main", path)
    assert status == 200, (path, status)
    return body.decode()


def test_plain(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = started(preamp, repository_of("plain", tmp_path))
    assert "generated for static files" in log_of(succeeded(client, app_id))
    assert "<h1>A plain site</h1>" in page(preamp, app_id)
    assert "<h1>About</h1>" in page(preamp, app_id, "/about")
    assert preamp.fetch(app_id, "main", "/none")[0] == 404


@pytest.mark.needs("npm")
def test_vue_without_a_build_spec(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = started(preamp, repository_of("vue", tmp_path))
    assert "generated for Vite" in log_of(succeeded(client, app_id))
    script = re.search(r'src="(/assets/[^"]+\.js)"', page(preamp, app_id))
    assert script is not None
    assert "Vue on Preamp" in page(preamp, app_id, script[1])
    assert "kept " in log_of(succeeded(client, app_id)), "npm ci keeps what the cache brought"


@pytest.mark.needs("npm")
def test_svelte(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = started(preamp, repository_of("svelte", tmp_path))
    assert "# Created cache artifact" in log_of(succeeded(client, app_id))
    assert "<title>Svelte on Preamp</title>" in page(preamp, app_id)


@pytest.mark.needs("npm")
def test_eleventy_without_a_build_spec(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = started(preamp, repository_of("eleventy", tmp_path))
    assert "generated for Eleventy" in log_of(succeeded(client, app_id))
    assert "<h1>The first post</h1>" in page(preamp, app_id, "/posts/first/")


@pytest.mark.needs("npm")
def test_two_applications_of_one_repository(preamp: Preamp, tmp_path: Path) -> None:
    repository = repository_of("workspaces", tmp_path)
    variables = {"AMPLIFY_MONOREPO_APP_ROOT": "apps/shop", "AMPLIFY_DIFF_DEPLOY": "true"}
    client, app_id = started(preamp, repository, environmentVariables=variables)
    assert "appRoot 'apps/shop', because its appRoot equals" in log_of(succeeded(client, app_id))
    assert "<title>The shop</title>" in page(preamp, app_id)
    served = client.get_branch(appId=app_id, branchName="main")["branch"]["activeJobId"]
    repository.commit({"apps/admin/more.js": "export const more = 1\n"})
    skipped = succeeded(client, app_id)
    assert [(step["stepName"], step["status"]) for step in skipped["steps"]] == [("BUILD", "SUCCEED")]
    assert "Skipped: AMPLIFY_DIFF_DEPLOY" in skipped["steps"][0]["statusReason"]
    assert client.get_branch(appId=app_id, branchName="main")["branch"]["activeJobId"] == served
    office = {"AMPLIFY_MONOREPO_APP_ROOT": "./apps/admin"}
    client, other = started(preamp, repository, environmentVariables=office)
    succeeded(client, other)
    assert "<title>The office</title>" in page(preamp, other)


@pytest.mark.needs("python3")
def test_mkdocs(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = started(preamp, repository_of("mkdocs", tmp_path))
    succeeded(client, app_id)
    assert "MkDocs on Preamp" in page(preamp, app_id)
    assert "push it" in page(preamp, app_id, "/guide/")


@pytest.mark.needs("hugo")
def test_hugo(preamp: Preamp, tmp_path: Path) -> None:
    client, app_id = started(preamp, repository_of("hugo", tmp_path))
    succeeded(client, app_id)
    assert "<h1>Hugo on Preamp</h1>" in page(preamp, app_id)
    assert "<h1>The other page</h1>" in page(preamp, app_id, "/other/")


@pytest.mark.needs("node", "npm")
def test_tests_and_their_artifacts(preamp: Preamp, tmp_path: Path) -> None:
    repository = repository_of("tested", tmp_path)
    client, app_id = started(preamp, repository)
    job = succeeded(client, app_id)
    names = ["BUILD", "TEST", "DEPLOY", "VERIFY"]
    assert [(step["stepName"], step["status"]) for step in job["steps"]] == [(n, "SUCCEED") for n in names]
    assert "# Completed phase: test" in log_of(job, "TEST")
    assert "phase: test" not in log_of(job, "BUILD")
    assert job["steps"][0]["context"].startswith("Sandbox: ")
    check_artifacts(client, app_id, job)
    assert "you were tested" in page(preamp, app_id)

    repository.commit({"src/greeting.js": "export const greeting = () => 'Hello, nobody tests me'\n"})
    job = build(client, app_id)
    assert job["summary"]["status"] == "FAILED"
    assert [(step["stepName"], step["status"]) for step in job["steps"]] == [
        ("BUILD", "SUCCEED"),
        ("TEST", "FAILED"),
    ]
    reason = job["steps"][1]["statusReason"]
    assert "Command `npm test` of phase test failed with exit code 1" in reason
    check_artifacts(client, app_id, job)
    assert "you were tested" in page(preamp, app_id), "what a failed test rejects is not served"


def check_artifacts(client: Any, app_id: str, job: dict[str, Any]) -> None:
    step = job["steps"][1]
    with zipfile.ZipFile(io.BytesIO(get(step["testArtifactsUrl"]))) as archive:
        assert archive.namelist() == ["junit.xml", "mochawesome.json", "page.html"]
    assert json.loads(get(step["testConfigUrl"]))["stats"]["tests"] == 1
    listed = client.list_artifacts(appId=app_id, branchName="main", jobId=job["summary"]["jobId"])[
        "artifacts"
    ]
    assert [item["artifactFileName"] for item in listed] == ["junit.xml", "mochawesome.json", "page.html"]
    url = client.get_artifact_url(artifactId=listed[2]["artifactId"])["artifactUrl"]
    assert b"<title>Tested</title>" in get(url)


def test_secrets_of_an_app(preamp: Preamp, tmp_path: Path) -> None:
    spec = """
frontend:
  phases:
    build:
      commands:
        - mkdir dist; echo $KEY $secrets
        - test $KEY = hunter2-hunter2 && echo "$secrets" | wc -c > dist/index.html
  artifacts: {baseDirectory: dist}
"""
    repository = new_repository(tmp_path, {"amplify.yml": spec})
    client, app_id = started(preamp, repository)
    done = preamp.run("secrets", "set", app_id, "KEY", "--variable", input="hunter2-hunter2\n")
    assert done.returncode == 0, done.stderr
    log = log_of(succeeded(client, app_id))
    assert '**** {"KEY": "****"}' in log
    assert "hunter2" not in log
    assert preamp.run("secrets", "list", app_id).stdout.split()[-1] == "KEY"
    assert "hunter2" not in preamp.run("secrets", "list", app_id, "--json").stdout
    assert preamp.run("secrets", "delete", app_id, "KEY").returncode == 0
    job = build(client, app_id)
    assert job["summary"]["status"] == "FAILED"
