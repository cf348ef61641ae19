"""A client that only knows Amplify: plain boto3 against `preamp serve`."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.repositories import STATIC_SPEC, Repository, new_repository

pytestmark = [pytest.mark.needs("git", "bwrap")]


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("walk") / "data") as it:
        yield it


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path, {"index.html": "<h1>one</h1>\n", "amplify.yml": STATIC_SPEC})


def test_an_app_from_its_repository_to_a_page_and_back(preamp: Preamp, repository: Repository) -> None:
    client = preamp.client()
    app = client.create_app(name="site", repository=repository.url)["app"]
    app_id = app["appId"]
    client.create_branch(appId=app_id, branchName="main")
    assert preamp.fetch(app_id, "main")[0] == 200, "a branch without a release says welcome"

    first = client.start_job(appId=app_id, branchName="main", jobType="RELEASE")["jobSummary"]
    assert first["jobId"] == "1"
    assert first["jobArn"].endswith("/branches/main/jobs/0000000001")
    job = wait_for_job(client, app_id, "main", "1")
    assert job["summary"]["status"] == "SUCCEED", job
    assert [(step["stepName"], step["status"]) for step in job["steps"]] == [
        ("BUILD", "SUCCEED"),
        ("DEPLOY", "SUCCEED"),
        ("VERIFY", "SUCCEED"),
    ]
    until(lambda: preamp.fetch(app_id, "main") == (200, b"<h1>one</h1>\n"), "the edge to serve the page")

    sha = repository.commit({"index.html": "<h1>two</h1>\n"}, "Say two")
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    job = wait_for_job(client, app_id, "main", "2")
    assert job["summary"]["commitId"] == sha
    assert job["summary"]["commitMessage"].strip() == "Say two"
    until(lambda: preamp.fetch(app_id, "main") == (200, b"<h1>two</h1>\n"), "the edge to serve the page")

    pages = client.get_paginator("list_jobs").paginate(
        appId=app_id, branchName="main", PaginationConfig={"PageSize": 1}
    )
    assert [summary["jobId"] for page in pages for summary in page["jobSummaries"]] == ["2", "1"]
    branch = client.get_branch(appId=app_id, branchName="main")["branch"]
    assert branch["activeJobId"] == "0000000002"
    assert branch["totalNumberOfJobs"] == "2"

    deleted = client.delete_job(appId=app_id, branchName="main", jobId="1")["jobSummary"]
    assert deleted["status"] == "SUCCEED"
    left = client.list_jobs(appId=app_id, branchName="main")["jobSummaries"]
    assert [summary["jobId"] for summary in left] == ["2"]
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_job(appId=app_id, branchName="main", jobId="1")

    client.delete_app(appId=app_id)
    until(lambda: preamp.fetch(app_id, "main")[0] == 404, "the site of a deleted app to be gone")


def test_logs_and_artifacts_are_plain_gets(preamp: Preamp, repository: Repository) -> None:
    client = preamp.client()
    app_id = client.create_app(name="logs", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    job = wait_for_job(client, app_id, "main", "1")
    build = job["steps"][0]
    log = urllib.request.urlopen(build["logUrl"]).read().decode()
    assert "# Executing command: cp index.html dist/" in log
    assert "## Build completed successfully" in log
    artifacts = urllib.request.urlopen(build["artifactsUrl"]).read()
    with zipfile.ZipFile(io.BytesIO(artifacts)) as zipped:
        assert {name: zipped.read(name) for name in zipped.namelist()} == {"index.html": b"<h1>one</h1>\n"}
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(build["logUrl"].replace("/BUILD/", "/DEPLOY/"))


def test_a_zip_is_published_and_replaces_what_was_there(preamp: Preamp) -> None:
    client = preamp.client()
    app_id = client.create_app(name="manual")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="dev")
    for number, text in (("1", "eins"), ("2", "zwei")):
        deployment = client.create_deployment(appId=app_id, branchName="dev")
        assert deployment["jobId"] == number
        upload(deployment["zipUploadUrl"], zipped({"index.html": text, "a/b.css": "b{}"}))
        client.start_deployment(appId=app_id, branchName="dev", jobId=number)
        job = wait_for_job(client, app_id, "dev", number)
        assert [step["stepName"] for step in job["steps"]] == ["DEPLOY", "VERIFY"]
        assert job["summary"]["status"] == "SUCCEED"
        until(lambda: preamp.fetch(app_id, "dev") == (200, text.encode()), "the page")  # noqa: B023
    assert preamp.fetch(app_id, "dev", "/a/b.css") == (200, b"b{}")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"not a zip at all", "zip"),
        (lambda: zipped({"../../etc/passwd": "x"}), "../../etc/passwd"),
        (lambda: zipped({"/absolute": "x"}), "/absolute"),
    ],
    ids=["no zip", "climbs out", "absolute"],
)
def test_a_bad_zip_fails_its_job_with_the_reason_and_the_site_stays(
    preamp: Preamp, data: object, why: str
) -> None:
    client = preamp.client()
    app_id = client.create_app(name="bad")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="dev")
    deploy(client, app_id, zipped({"index.html": "good"}))
    until(lambda: preamp.fetch(app_id, "dev") == (200, b"good"), "the page")
    job = deploy(client, app_id, data() if callable(data) else data)  # type: ignore[arg-type]
    assert job["summary"]["status"] == "FAILED"
    assert why in job["steps"][0]["statusReason"]
    assert preamp.fetch(app_id, "dev") == (200, b"good")


def test_unknown_ids_are_not_found(preamp: Preamp) -> None:
    client = preamp.client()
    app_id = client.create_app(name="lonely")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    for call in (
        lambda: client.get_app(appId="d000000000000"),
        lambda: client.get_branch(appId=app_id, branchName="none"),
        lambda: client.list_jobs(appId=app_id, branchName="none"),
        lambda: client.delete_job(appId=app_id, branchName="main", jobId="7"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "NotFoundException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_running_job_is_stopped_and_its_processes_are_dead(preamp: Preamp, tmp_path: Path) -> None:
    spec = STATIC_SPEC.replace("- mkdir -p dist", "- setsid sleep 31.4159 & sleep 31.4159")
    repository = new_repository(tmp_path, {"index.html": "x", "amplify.yml": spec})
    client = preamp.client()
    app_id = client.create_app(name="slow", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    until(lambda: sleepers() > 0, "the build to sleep")
    stopped = client.stop_job(appId=app_id, branchName="main", jobId="1")["jobSummary"]
    assert stopped["status"] in {"CANCELLING", "CANCELLED"}
    job = wait_for_job(client, app_id, "main", "1")
    assert job["summary"]["status"] == "CANCELLED"
    assert sleepers() == 0


@pytest.mark.parametrize(
    ("change", "step", "why"),
    [
        ({"repository": "file:///nowhere/at/all.git"}, "BUILD", "/nowhere/at/all.git"),
        ({"branch": "missing"}, "BUILD", "missing"),
        ({"spec": "version: 1\nfrontend:\n  phases: [\n"}, "BUILD", "Unable to parse build spec"),
        ({"spec": STATIC_SPEC.replace("cp index.html dist/", "exit 3")}, "BUILD", "3"),
        (
            {"spec": STATIC_SPEC.replace("baseDirectory: dist", "baseDirectory: out")},
            "BUILD",
            "Artifact directory doesn't exist: out",
        ),
    ],
    ids=["no repository", "no branch", "broken spec", "failing command", "no artifacts"],
)
def test_a_build_that_cannot_work_says_why_and_the_page_stays(
    preamp: Preamp, repository: Repository, change: dict[str, str], step: str, why: str
) -> None:
    client = preamp.client()
    app_id = client.create_app(name="fails", repository=repository.url)["app"]["appId"]
    branch = change.get("branch", "main")
    client.create_branch(appId=app_id, branchName=branch)
    if branch == "main":
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
        assert wait_for_job(client, app_id, "main", "1")["summary"]["status"] == "SUCCEED"
    if "spec" in change:
        repository.commit({"amplify.yml": change["spec"]})
    if "repository" in change:
        client.update_app(appId=app_id, repository=change["repository"])
    job_id = client.start_job(appId=app_id, branchName=branch, jobType="RELEASE")["jobSummary"]["jobId"]
    job = wait_for_job(client, app_id, branch, job_id)
    assert job["summary"]["status"] == "FAILED"
    failed = job["steps"][-1]
    assert (failed["stepName"], failed["status"]) == (step, "FAILED")
    assert why in failed["statusReason"]
    log = urllib.request.urlopen(failed["logUrl"]).read().decode()
    assert why in log
    if branch == "main":
        assert preamp.fetch(app_id, "main") == (200, b"<h1>one</h1>\n")


def zipped(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped_files:
        for name, text in files.items():
            zipped_files.writestr(name, text)
    return out.getvalue()


def upload(url: str, data: bytes) -> None:
    urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT"))


def deploy(client: object, app_id: str, data: bytes) -> dict[str, object]:
    deployment = client.create_deployment(appId=app_id, branchName="dev")  # type: ignore[attr-defined]
    upload(deployment["zipUploadUrl"], data)
    client.start_deployment(appId=app_id, branchName="dev", jobId=deployment["jobId"])  # type: ignore[attr-defined]
    return wait_for_job(client, app_id, "dev", deployment["jobId"])


def sleepers() -> int:
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                count += b"31.4159" in (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
    return count
