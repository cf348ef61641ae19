"""StartDeployment by sourceUrl: plain boto3, the real worker, servers on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from preamp.model.jobs import JobState
from preamp.model.sources import BucketSource
from preamp.store.blobs import LocalBlobs
from preamp.store.manifests import read_manifest
from preamp.store.releases import get_release_of_job
from tests.support.control import InProcess, app_with_branch, in_process, refused
from tests.support.sources import FakeS3, answer, serving, zip_of
from tests.support.worker import OneWorker

SITE = zip_of({"index.html": "<h1>hello</h1>", "assets/app.js": "1"})


def start(client: Any, app_id: str, **source: str) -> dict[str, Any]:
    return dict(client.start_deployment(appId=app_id, branchName="main", **source)["jobSummary"])


def files_of(preamp: InProcess, branch_id: int, number: int) -> dict[str, bytes]:
    blobs = LocalBlobs(preamp.control.services.folder.blobs)
    with preamp.database.read() as conn:
        release = get_release_of_job(conn, branch_id, number)
    assert release is not None
    manifest = read_manifest(blobs, release.manifest)
    return {path: blobs.read(file.body.blob) for path, file in manifest.files.items()}


@pytest.fixture
def app_id(client: Any) -> str:
    return app_with_branch(client)


def test_a_zip_from_the_web(preamp: InProcess, client: Any, app_id: str) -> None:
    worker = OneWorker(preamp)
    with serving(lambda handler: answer(handler, 200, SITE)) as url:
        source = f"{url}/out/site.zip?X-Amz-Signature=0123secret"
        started = start(client, app_id, sourceUrl=source)
        assert started["jobId"] == "1"
        assert started["status"] == "PENDING"
        assert (started["sourceUrl"], started["sourceUrlType"]) == (source, "ZIP")
        assert preamp.engine.woken
        job = worker.run(app_id)
    assert job.state is JobState.SUCCEED, job.status_reason
    assert files_of(preamp, job.branch_id, 1) == {"index.html": b"<h1>hello</h1>", "assets/app.js": b"1"}
    log = worker.log(job)
    assert f"Fetching {url}/out/site.zip\n" in log
    assert f"Fetched {len(SITE)} bytes" in log
    assert "0123secret" not in log
    found = client.get_job(appId=app_id, branchName="main", jobId="1")["job"]
    assert found["summary"]["sourceUrl"] == source
    assert [step["stepName"] for step in found["steps"]] == ["DEPLOY", "VERIFY"]
    assert list(preamp.control.services.folder.workspaces.iterdir()) == []


def test_redirects_are_followed_a_few_times(preamp: InProcess, client: Any, app_id: str) -> None:
    def handle(handler: Any) -> None:
        left = int(handler.path.strip("/"))
        if left:
            answer(handler, 302, headers={"Location": f"/{left - 1}"})
        else:
            answer(handler, 200, SITE)

    worker = OneWorker(preamp)
    with serving(handle) as url:
        start(client, app_id, sourceUrl=f"{url}/5")
        assert worker.run(app_id).state is JobState.SUCCEED
        start(client, app_id, sourceUrl=f"{url}/7")
        job = worker.run(app_id)
    assert job.state is JobState.FAILED
    assert "answered 302" in (job.status_reason or "")


def _cut_short(handler: Any) -> None:
    answer(handler, 200, SITE[:100], {"Content-Length": str(len(SITE))})


def _cut_short_in_chunks(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"ff\r\n" + SITE[:100])
    handler.close_connection = True


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (lambda handler: answer(handler, 403, b"no"), "/x answered 403 Forbidden."),
        (lambda handler: answer(handler, 200, b"<html>"), "is not a zip"),
        (lambda handler: answer(handler, 200, b""), "is empty"),
        (_cut_short, f"ended after 100 of {len(SITE)} bytes"),
        (_cut_short_in_chunks, "the transfer failed"),
        (lambda handler: answer(handler, 302, headers={"Location": "file:///etc/passwd"}), "302"),
        (lambda handler: answer(handler, 302, headers={"Location": "ftp://h/x"}), "ftp, which is refused"),
        (lambda handler: answer(handler, 302, headers={"Location": "http://169.254.169.254/"}), "link-local"),
        (
            lambda handler: answer(handler, 302, headers={"Location": "http://[::ffff:a9fe:a9fe]/"}),
            "link-local",
        ),
    ],
)
def test_the_reason_of_a_failure_is_told(
    preamp: InProcess, client: Any, app_id: str, handle: Any, words: str
) -> None:
    worker = OneWorker(preamp)
    with serving(handle) as url:
        start(client, app_id, sourceUrl=f"{url}/x?token=s3cret")
        job = worker.run(app_id)
    assert job.state is JobState.FAILED
    assert words in (job.status_reason or "")
    assert "s3cret" not in (job.status_reason or "")
    steps = client.get_job(appId=app_id, branchName="main", jobId="1")["job"]["steps"]
    assert steps[0]["statusReason"] == job.status_reason
    assert client.get_branch(appId=app_id, branchName="main")["branch"]["activeJobId"] == ""


def test_nobody_listens(preamp: InProcess, client: Any, app_id: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    start(client, app_id, sourceUrl=f"http://127.0.0.1:{port}/x.zip")
    job = OneWorker(preamp).run(app_id)
    assert f"http://127.0.0.1:{port}/x.zip cannot be reached" in (job.status_reason or "")


def test_too_large_zips_are_not_taken(tmp_path: Path) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with in_process(tmp_path / "data", max_upload_bytes=300_000) as preamp:
        client = preamp.client()
        app_id = app_with_branch(client)
        worker = OneWorker(preamp)
        for handle in (endless, lambda handler: answer(handler, 200, b"x" * 300_001)):

            def quiet(handler: Any, handle: Any = handle) -> None:
                try:
                    handle(handler)
                except ConnectionError:
                    handler.close_connection = True

            with serving(quiet) as url:
                start(client, app_id, sourceUrl=url)
                job = worker.run(app_id)
            assert job.state is JobState.FAILED
            assert "more than 300000 bytes (the setting max_upload_bytes)" in (job.status_reason or "")


def test_private_addresses_can_be_forbidden(tmp_path: Path) -> None:
    with in_process(tmp_path / "data", allow_private_sources=False) as preamp:
        client = preamp.client()
        app_id = app_with_branch(client)
        with serving(lambda handler: answer(handler, 200, SITE)) as url:
            for source in (url, url.replace("127.0.0.1", "localhost")):
                start(client, app_id, sourceUrl=source)
                job = OneWorker(preamp).run(app_id)
                assert job.state is JobState.FAILED
                assert "allow_private_sources forbids" in (job.status_reason or "")


def test_stopping_does_not_wait_for_a_silent_server(preamp: InProcess, client: Any, app_id: str) -> None:
    asked, enough = threading.Event(), threading.Event()

    def silent(handler: Any) -> None:
        asked.set()
        enough.wait(60)
        handler.close_connection = True

    with serving(silent) as url:
        start(client, app_id, sourceUrl=url)
        job = OneWorker(preamp).run(app_id, stop_when=asked.is_set)
        assert not enough.is_set(), "the server has not answered yet"
        enough.set()
    assert job.state is JobState.CANCELLED
    assert list(preamp.control.services.folder.workspaces.iterdir()) == []


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3(
        objects={
            "releases": {
                "v1/site one+é.zip": SITE,
                "v1/site/index.html": b"<h1>prefix</h1>",
                "v1/site/a/b&c <d>.txt": b"x",
                "v1/site/a/": b"",
                "v1/site/empty.txt": b"",
                "v1/site-old/index.html": b"old",
            },
            "whole": {"index.html": b"whole"},
            "wrong": {"a": b"1", "a/b": b"2"},
            "evil": {"../up.txt": b"1"},
        }
    )


@pytest.fixture
def with_s3(tmp_path: Path, s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    # What must not matter: the environment of whoever started Preamp.
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKOPERATOR")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "operator")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with (
        serving(s3) as url,
        in_process(
            tmp_path / "data",
            s3_endpoint=url,
            s3_region=s3.region,
            s3_access_key_id=s3.access_key_id,
            s3_secret_access_key=s3.secret,
        ) as preamp,
    ):
        monkeypatch.delenv("AWS_PROFILE")
        client = preamp.client()
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        monkeypatch.setattr(preamp, "client", lambda: client)
        yield preamp


def test_a_zip_from_s3(with_s3: InProcess) -> None:
    client = with_s3.client()
    app_id = app_with_branch(client)
    source = "s3://releases/v1/site one+é.zip"
    started = start(client, app_id, sourceUrl=source)
    assert (started["sourceUrl"], started["sourceUrlType"]) == (source, "ZIP")
    job = OneWorker(with_s3).run(app_id)
    assert job.state is JobState.SUCCEED, job.status_reason
    assert files_of(with_s3, job.branch_id, 1)["assets/app.js"] == b"1"


@pytest.mark.parametrize("source", ["s3://releases/v1/site/", "s3://releases/v1/site"])
def test_everything_under_a_prefix(with_s3: InProcess, source: str) -> None:
    client = with_s3.client()
    app_id = app_with_branch(client)
    started = start(client, app_id, sourceUrl=source, sourceUrlType="BUCKET_PREFIX")
    assert started["sourceUrlType"] == "BUCKET_PREFIX"
    job = OneWorker(with_s3).run(app_id)
    assert job.state is JobState.SUCCEED, job.status_reason
    assert files_of(with_s3, job.branch_id, 1) == {
        "index.html": b"<h1>prefix</h1>",
        "a/b&c <d>.txt": b"x",
        "empty.txt": b"",
    }


@pytest.mark.parametrize("source", ["s3://whole", "s3://whole/"])
def test_a_whole_bucket(with_s3: InProcess, source: str) -> None:
    client = with_s3.client()
    app_id = app_with_branch(client)
    start(client, app_id, sourceUrl=source, sourceUrlType="BUCKET_PREFIX")
    job = OneWorker(with_s3).run(app_id)
    assert files_of(with_s3, job.branch_id, 1) == {"index.html": b"whole"}


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("s3://releases/gone.zip", "ZIP", "s3://releases/gone.zip cannot be read: NoSuchKey"),
        ("s3://absent/x.zip", "ZIP", "NoSuchBucket: The specified bucket does not exist"),
        ("s3://whole/index.html", "ZIP", "s3://whole/index.html: the uploaded file is not a zip"),
        ("s3://releases/nothing/", "BUCKET_PREFIX", "s3://releases/nothing/ holds no files"),
        ("s3://wrong", "BUCKET_PREFIX", "both as a file and as a folder"),
        ("s3://evil", "BUCKET_PREFIX", "'../up.txt', which is no path of a file"),
    ],
)
def test_what_s3_says_is_told(with_s3: InProcess, source: str, kind: str, words: str) -> None:
    client = with_s3.client()
    app_id = app_with_branch(client)
    start(client, app_id, sourceUrl=source, sourceUrlType=kind)
    job = OneWorker(with_s3).run(app_id)
    assert job.state is JobState.FAILED
    assert words in (job.status_reason or "")
    assert not list(with_s3.control.services.folder.root.rglob("up.txt"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"s3_secret_access_key": "other"}, "SignatureDoesNotMatch"),
        ({"s3_access_key_id": "AKOTHER"}, "InvalidAccessKeyId"),
        ({"s3_region": "us-east-2"}, "AuthorizationHeaderMalformed"),
        ({"s3_access_key_id": None, "s3_secret_access_key": None}, "AccessDenied"),
    ],
)
def test_wrong_keys_are_told(tmp_path: Path, s3: FakeS3, wrong: dict[str, Any], words: str) -> None:
    right: dict[str, Any] = {
        "s3_region": s3.region,
        "s3_access_key_id": s3.access_key_id,
        "s3_secret_access_key": s3.secret,
    }
    with serving(s3) as url, in_process(tmp_path / "data", s3_endpoint=url, **{**right, **wrong}) as preamp:
        client = preamp.client()
        app_id = app_with_branch(client)
        start(client, app_id, sourceUrl="s3://whole", sourceUrlType="BUCKET_PREFIX")
        job = OneWorker(preamp).run(app_id)
    assert job.state is JobState.FAILED
    assert words in (job.status_reason or "")


def test_public_buckets_need_no_keys(tmp_path: Path, s3: FakeS3) -> None:
    s3.public.add("whole")
    with serving(s3) as url, in_process(tmp_path / "data", s3_endpoint=url) as preamp:
        client = preamp.client()
        app_id = app_with_branch(client)
        start(client, app_id, sourceUrl="s3://whole", sourceUrlType="BUCKET_PREFIX")
        assert OneWorker(preamp).run(app_id).state is JobState.SUCCEED


@pytest.mark.parametrize(
    ("limit", "words"),
    [({"max_release_files": 2}, "more than 2 files"), ({"max_release_bytes": 10}, "more than 10 bytes")],
)
def test_prefixes_have_limits(tmp_path: Path, s3: FakeS3, limit: dict[str, int], words: str) -> None:
    s3.public.add("releases")
    with serving(s3) as url, in_process(tmp_path / "data", s3_endpoint=url, **limit) as preamp:
        client = preamp.client()
        app_id = app_with_branch(client)
        start(client, app_id, sourceUrl="s3://releases/v1/site", sourceUrlType="BUCKET_PREFIX")
        job = OneWorker(preamp).run(app_id)
    assert words in (job.status_reason or "")
    assert not [path for path in s3.requests if path.endswith(".html")], "nothing was fetched"


def test_s3_must_be_set_up(client: Any, app_id: str) -> None:
    with refused("BadRequestException", "s3_endpoint"):
        start(client, app_id, sourceUrl="s3://bucket/site.zip")


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("https://host/x/", "BUCKET_PREFIX", "must begin with s3://"),
        ("https://", "ZIP", "with a host"),
        ("http://user:pw@host/x.zip", "ZIP", "must not carry a user name"),
        ("http://host:99999/x.zip", "ZIP", "not a URL"),
        ("http://[::1/x.zip", "ZIP", "not a URL"),
        ("http://host/a b.zip", "ZIP", "percent-encoded"),
        ("s3://", "ZIP", "must name a bucket"),
        ("s3://bucket", "ZIP", "must name a zip"),
        ("s3://bucket/folder/", "ZIP", "must name a zip"),
        ("s3:///key.zip", "ZIP", "must name a bucket"),
    ],
)
def test_urls_that_cannot_be_sources(client: Any, app_id: str, source: str, kind: str, words: str) -> None:
    with refused("BadRequestException", words):
        start(client, app_id, sourceUrl=source, sourceUrlType=kind)


def test_one_way_of_starting_only(client: Any, app_id: str) -> None:
    with refused("BadRequestException", "Must specify jobId or sourceUrl for StartDeploymentRequest."):
        start(client, app_id)
    created = client.create_deployment(appId=app_id, branchName="main")
    with refused("BadRequestException", "not both"):
        start(client, app_id, jobId=created["jobId"], sourceUrl="http://host/x.zip")
    with refused("BadRequestException", "The last job(deployment) 1 was not finished"):
        start(client, app_id, sourceUrl="http://host/x.zip")
    client.stop_job(appId=app_id, branchName="main", jobId="1")
    assert start(client, app_id, sourceUrl="http://host/x.zip")["jobId"] == "2"


def test_apps_with_a_repository_take_no_deployments(client: Any) -> None:
    app_id = app_with_branch(client, repository="https://git.example/site.git")
    with refused("BadRequestException", "connected to a repository"):
        start(client, app_id, sourceUrl="http://host/x.zip")


def test_a_prefix_shows_as_its_folder() -> None:
    assert BucketSource(bucket="b", key="a/", is_prefix=True).shown == "s3://b/a/"
