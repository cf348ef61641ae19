"""Rollback and promote: stored releases served by hand, recorded, and overtaken by the next job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.model.ids import new_release_id
from preamp.model.releases import Manifest, Release
from preamp.model.times import now_ms
from preamp.store import branches
from preamp.store.blobs import LocalBlobs
from preamp.store.manifests import write_manifest
from tests.support.control import REPOSITORY, InProcess, in_process, refused
from tests.support.own import call


@pytest.fixture
def preamp(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path / "data") as it:
        yield it


@pytest.fixture
def app_id(preamp: InProcess) -> str:
    client = preamp.client()
    app_id = client.create_app(name="site", repository=REPOSITORY, oauthToken="t")["app"]["appId"]
    for branch in ("main", "next"):
        client.create_branch(appId=app_id, branchName=branch)
    return str(app_id)


def start(preamp: InProcess, app_id: str, branch: str = "main") -> Claim:
    """A running job."""
    preamp.client().start_job(appId=app_id, branchName=branch, jobType="RELEASE", commitId="c0ffee")
    with preamp.database.read() as conn:
        found = branches.get_branch(conn, app_id, branch)
    assert found is not None
    claim = claim_next(preamp.database, found.branch_id, worker_id="w", concurrent_jobs=9, now=now_ms())
    assert isinstance(claim, Claim)
    return claim


def succeed(preamp: InProcess, app_id: str, claim: Claim) -> None:
    blobs = LocalBlobs(preamp.control.services.folder.blobs)
    text = f"{claim.job.branch_id}-{claim.job.number}"
    release = Release(
        release_id=new_release_id(),
        branch_id=claim.job.branch_id,
        job=claim.job.number,
        manifest=write_manifest(blobs, Manifest(custom_headers=text)),
        file_count=0,
        total_bytes=0,
        created_ms=now_ms(),
    )
    assert finish.succeed(preamp.database, claim.attempt, app_id=app_id, release=release, now=now_ms())


def release(preamp: InProcess, app_id: str, branch: str = "main") -> None:
    succeed(preamp, app_id, start(preamp, app_id, branch))


def active(preamp: InProcess, app_id: str, branch: str = "main") -> str:
    text = preamp.client().get_branch(appId=app_id, branchName=branch)["branch"]["activeJobId"]
    return str(int(text))


def test_back_to_the_release_before_and_forward_with_the_next_job(preamp: InProcess, app_id: str) -> None:
    for _ in range(3):
        release(preamp, app_id)
    status, told = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    assert (status, told["kind"], told["fromJob"], told["toJob"]) == (200, "ROLLBACK", 3, 2)
    assert active(preamp, app_id) == "2"
    status, _ = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    assert status == 200
    assert active(preamp, app_id) == "1"
    status, text = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    assert (status, text) == (404, "The branch main has no earlier release than job 1.\n")
    release(preamp, app_id)
    assert active(preamp, app_id) == "4"


def test_to_a_job_by_its_number_also_a_later_one(preamp: InProcess, app_id: str) -> None:
    for _ in range(3):
        release(preamp, app_id)
    for job in ("1", "3", "2"):
        assert call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main", job=job)[0] == 200
        assert active(preamp, app_id) == job
    status, text = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main", job="2")
    assert (status, text) == (400, "The branch main serves job 2 already.\n")
    status, text = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main", job="9")
    assert (status, text) == (404, "The job 9 of branch main has no release.\n")
    status, found = call(preamp, "GET", "/_preamp/switches", app=app_id, branch="main")
    assert status == 200
    assert [(item["fromJob"], item["toJob"]) for item in found["switches"]] == [(3, 2), (1, 3), (3, 1)]
    assert {item["by"] for item in found["switches"]} == {preamp.administrator().access_key_id}


def test_a_job_that_ran_meanwhile_still_moves_the_branch_forward(preamp: InProcess, app_id: str) -> None:
    for _ in range(2):
        release(preamp, app_id)
    running = start(preamp, app_id)
    call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    assert active(preamp, app_id) == "1"
    succeed(preamp, app_id, running)
    assert active(preamp, app_id) == "3"


def test_promotion_gives_the_target_a_job_with_the_same_bytes(preamp: InProcess, app_id: str) -> None:
    release(preamp, app_id, "next")
    query = {"app": app_id, "from": "next", "to": "main"}
    status, told = call(preamp, "POST", "/_preamp/promote", **query)
    assert status == 200
    assert (told["kind"], told["sourceBranch"]) == ("PROMOTE", "next")
    assert (told["sourceJob"], told["toJob"]) == (1, 1)
    job = preamp.client().get_job(appId=app_id, branchName="main", jobId="1")["job"]
    assert (job["summary"]["status"], job["summary"]["commitId"], job["steps"]) == ("SUCCEED", "c0ffee", [])
    assert active(preamp, app_id) == "1"
    assert call(preamp, "POST", "/_preamp/promote", **query)[0] == 400
    release(preamp, app_id)
    assert active(preamp, app_id) == "2"
    # Back to what was promoted.
    assert call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")[0] == 200
    assert active(preamp, app_id) == "1"


def test_a_release_whose_bytes_are_gone_is_not_switched_to(preamp: InProcess, app_id: str) -> None:
    for _ in range(2):
        release(preamp, app_id)
    blobs = LocalBlobs(preamp.control.services.folder.blobs)
    for blob in list(blobs.list()):
        if b"-1" in blobs.read(blob.name):
            blobs.delete(blob.name)
    status, text = call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    assert status == 404
    assert "cannot be served" in text
    assert active(preamp, app_id) == "2"


def test_who_may(preamp: InProcess, app_id: str) -> None:
    for _ in range(2):
        release(preamp, app_id)
    assert call(preamp, "POST", "/_preamp/rollback", sign=False, app=app_id, branch="main")[0] == 403
    assert call(preamp, "GET", "/_preamp/rollback", app=app_id, branch="main")[0] == 405
    assert call(preamp, "POST", "/_preamp/rollback", app=app_id)[0] == 400
    reader = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "amplify:Get*"}}
    reader["Statement"]["Resource"] = "*"  # type: ignore[index]
    key = preamp.make_key(policy=json.dumps(reader))
    status, text = call(preamp, "POST", "/_preamp/rollback", key, app=app_id, branch="main")
    assert (status, text.split(":")[0]) == (403, "AccessDeniedException")
    stranger = preamp.make_key(name="eve", account="999999999999")
    assert call(preamp, "POST", "/_preamp/rollback", stranger, app=app_id, branch="main")[0] == 404
    assert active(preamp, app_id) == "2"


def test_a_job_that_is_served_after_a_rollback_can_be_deleted_and_stays_served(
    preamp: InProcess, app_id: str
) -> None:
    for _ in range(2):
        release(preamp, app_id)
    call(preamp, "POST", "/_preamp/rollback", app=app_id, branch="main")
    preamp.client().delete_job(appId=app_id, branchName="main", jobId="1")
    assert active(preamp, app_id) == "1"
    with refused("NotFoundException"):
        preamp.client().get_job(appId=app_id, branchName="main", jobId="1")
