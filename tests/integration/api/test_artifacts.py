"""Test artifacts: rows as the test step of a build writes them, read through the API and its URLs."""

from __future__ import annotations

from typing import Any

import pytest

from preamp.store import artifacts
from preamp.store.blobs import LocalBlobs
from tests.support.control import REPOSITORY, InProcess, app_with_branch, refused

FILES = {"login.png": b"\x89PNG picture", "videos/login é.mp4": b"0123456789", "report.html": b"<script>"}


def leave(preamp: InProcess, files: dict[str, bytes], number: int = 1, branch_id: int = 1) -> None:
    blobs = LocalBlobs(preamp.control.services.folder.blobs)
    stored = {name: blobs.put_bytes(data) for name, data in files.items()}
    with preamp.database.write() as tx:
        artifacts.replace_artifacts(tx.conn, branch_id, number, stored)


@pytest.fixture
def app_id(client: Any, preamp: InProcess) -> str:
    app_id = app_with_branch(client, repository=REPOSITORY)
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    leave(preamp, FILES)
    return app_id


def listed(client: Any, app_id: str, **more: Any) -> dict[str, str]:
    found = client.list_artifacts(appId=app_id, branchName="main", jobId="1", **more)["artifacts"]
    return {one["artifactFileName"]: one["artifactId"] for one in found}


def url_of(client: Any, artifact_id: str) -> str:
    found = client.get_artifact_url(artifactId=artifact_id)
    assert found["artifactId"] == artifact_id
    return str(found["artifactUrl"])


def test_list_and_fetch(client: Any, preamp: InProcess, app_id: str) -> None:
    found = listed(client, app_id)
    assert list(found) == list(FILES)
    for name, data in FILES.items():
        status, headers, body = preamp.fetch("GET", url_of(client, found[name]))
        assert (status, body) == (200, data)
        assert headers["content-security-policy"] == "sandbox"
        assert headers["x-content-type-options"] == "nosniff"
    assert preamp.fetch("GET", url_of(client, found["login.png"]))[1]["content-type"] == "image/png"


def test_ranges_and_head(client: Any, preamp: InProcess, app_id: str) -> None:
    url = url_of(client, listed(client, app_id)["videos/login é.mp4"])
    status, headers, body = preamp.fetch("GET", url, headers={"Range": "bytes=2-4"})
    assert (status, headers["content-range"], body) == (206, "bytes 2-4/10", b"234")
    status, headers, body = preamp.fetch("HEAD", url)
    assert (status, headers["content-length"], body) == (200, "10", b"")
    assert headers["content-disposition"] == "inline; filename*=UTF-8''login%20%C3%A9.mp4"
    assert preamp.fetch("GET", url, headers={"Range": "bytes=99-"})[0] == 416


def test_url_is_signed(client: Any, preamp: InProcess, app_id: str) -> None:
    url = url_of(client, listed(client, app_id)["login.png"])
    assert preamp.fetch("GET", url.replace("/1/1/0?", "/1/1/1?"))[0] == 403
    assert preamp.fetch("PUT", url)[0] == 403


def test_job_without_tests_has_none(client: Any, preamp: InProcess, app_id: str) -> None:
    leave(preamp, {})
    assert listed(client, app_id) == {}


def test_unknown_parents(client: Any, app_id: str) -> None:
    for wrong in ({"appId": "dnone"}, {"branchName": "none"}, {"jobId": "2"}):
        with refused("NotFoundException"):
            client.list_artifacts(**{"appId": app_id, "branchName": "main", "jobId": "1", **wrong})


def test_ids_are_opaque_and_cannot_be_made_up(client: Any, preamp: InProcess, app_id: str) -> None:
    good = listed(client, app_id)["login.png"]
    assert good.replace("-", "").replace("_", "").isalnum()
    assert len(good) <= 255
    other = "A" if good[0] != "A" else "B"
    for wrong in ("x", "../etc", good[:-1], good + "A", other + good[1:], "é"):
        with refused("NotFoundException", "not found"):
            client.get_artifact_url(artifactId=wrong)
    with refused("NotFoundException"):
        preamp.client(region="eu-west-1").get_artifact_url(artifactId=good)


def test_id_never_means_another_file(client: Any, preamp: InProcess, app_id: str) -> None:
    good = listed(client, app_id)["login.png"]
    leave(preamp, {"other.png": b"another picture"})
    with refused("NotFoundException"):
        client.get_artifact_url(artifactId=good)
    leave(preamp, FILES)
    url_of(client, good)


def test_page_token_is_no_artifact_id(client: Any, app_id: str) -> None:
    token = client.list_artifacts(appId=app_id, branchName="main", jobId="1", maxResults=1)["nextToken"]
    with refused("NotFoundException"):
        client.get_artifact_url(artifactId=token)


def test_artifacts_go_with_their_job(client: Any, preamp: InProcess, app_id: str) -> None:
    good = listed(client, app_id)["login.png"]
    url = url_of(client, good)
    client.stop_job(appId=app_id, branchName="main", jobId="1")
    client.delete_job(appId=app_id, branchName="main", jobId="1")
    with refused("NotFoundException"):
        client.get_artifact_url(artifactId=good)
    assert preamp.fetch("GET", url)[0] == 404
