"""Jobs without a worker: what is accepted, numbered, shown, stopped and deleted (sections 3.4, 13, 15)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.control import REPOSITORY, InProcess, app_with_branch, refused


@pytest.fixture
def app_id(client: Any) -> str:
    return app_with_branch(client, "feature/x", repository=REPOSITORY)


@pytest.fixture
def branch(app_id: str) -> dict[str, str]:
    return {"appId": app_id, "branchName": "feature/x"}


def test_summary_of_a_new_job(client: Any, app_id: str, branch: dict[str, str]) -> None:
    summary = client.start_job(**branch, jobType="RELEASE", jobReason="why")["jobSummary"]
    assert summary == {
        "jobArn": f"arn:aws:amplify:us-east-1:000000000000:apps/{app_id}/branches/feature/x/jobs/0000000001",
        "jobId": "1",
        "commitId": "HEAD",
        "commitMessage": "",
        "commitTime": summary["commitTime"],
        "startTime": summary["startTime"],
        "status": "PENDING",
        "jobType": "RELEASE",
    }
    assert client.get_job(**branch, jobId="1")["job"] == {"summary": summary, "steps": []}
    assert client.list_jobs(**branch)["jobSummaries"] == [summary]


def test_manual_is_refused_with_aws_message(client: Any, branch: dict[str, str]) -> None:
    with refused("BadRequestException", "The requested jobType MANUAL does not support."):
        client.start_job(**branch, jobType="MANUAL")


def test_one_unfinished_job_for_start_job(client: Any, branch: dict[str, str]) -> None:
    client.start_job(**branch, jobType="RELEASE")
    with refused("LimitExceededException", "unfinished job 1"):
        client.start_job(**branch, jobType="WEB_HOOK")
    client.stop_job(**branch, jobId="1")
    assert client.start_job(**branch, jobType="WEB_HOOK")["jobSummary"]["jobId"] == "2"


def test_retry(client: Any, branch: dict[str, str]) -> None:
    with refused("BadRequestException", "needs the jobId"):
        client.start_job(**branch, jobType="RETRY")
    with refused("NotFoundException", "Job 1 not found."):
        client.start_job(**branch, jobType="RETRY", jobId="1")
    client.start_job(**branch, jobType="RELEASE", commitId="v1.0", commitMessage="first")
    client.stop_job(**branch, jobId="1")
    again = client.start_job(**branch, jobType="RETRY", jobId="1")["jobSummary"]
    assert (again["jobId"], again["jobType"], again["commitId"]) == ("2", "RETRY", "v1.0")


def test_app_without_repository(client: Any) -> None:
    app_id = app_with_branch(client)
    with refused("BadRequestException", "no repository"):
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")


def test_stop_waiting_job(client: Any, branch: dict[str, str]) -> None:
    client.start_job(**branch, jobType="RELEASE")
    stopped = client.stop_job(**branch, jobId="1")["jobSummary"]
    assert stopped["status"] == "CANCELLED"
    assert "endTime" in stopped
    with refused("BadRequestException", "already finished with status CANCELLED"):
        client.stop_job(**branch, jobId="1")


def test_deleted_job_is_gone_and_its_number_too(client: Any, branch: dict[str, str]) -> None:
    client.start_job(**branch, jobType="RELEASE")
    summary = client.stop_job(**branch, jobId="1")["jobSummary"]
    assert client.delete_job(**branch, jobId="1")["jobSummary"] == summary
    listed = client.list_jobs(**branch)
    assert (listed["jobSummaries"], "nextToken" in listed) == ([], False)
    for call in (client.get_job, client.stop_job, client.delete_job):
        with refused("NotFoundException", "Job 1 not found."):
            call(**branch, jobId="1")
    assert client.start_job(**branch, jobType="RELEASE")["jobSummary"]["jobId"] == "2"


@pytest.mark.parametrize("job_id", ["abc", "1a", "-1"])
def test_job_id_that_is_no_number(client: Any, branch: dict[str, str], job_id: str) -> None:
    for call in (client.get_job, client.stop_job, client.delete_job):
        with refused("BadRequestException", "jobId"):
            call(**branch, jobId=job_id)


@pytest.mark.parametrize("job_id", ["0", "2", "9" * 255])
def test_job_that_is_not_there(client: Any, branch: dict[str, str], job_id: str) -> None:
    with refused("NotFoundException", "not found"):
        client.get_job(**branch, jobId=job_id)


def test_padded_id_names_the_job(client: Any, branch: dict[str, str]) -> None:
    client.start_job(**branch, jobType="RELEASE")
    assert client.get_job(**branch, jobId="0000000001")["job"]["summary"]["jobId"] == "1"


def test_manual_deployment_until_it_starts(preamp: InProcess, client: Any) -> None:
    site = {"appId": app_with_branch(client), "branchName": "main"}
    created = client.create_deployment(**site)
    assert (created["jobId"], created["fileUploadUrls"]) == ("1", {})
    assert client.get_job(**site, jobId="1")["job"]["summary"]["status"] == "CREATED"
    message = (
        "The last job(deployment) 1 was not finished, please wait until it finish or use StopJob operation "
        "to cancel it before creating a new deployment."
    )
    with refused("BadRequestException", message):
        client.create_deployment(**site)
    with refused("BadRequestException", "Must specify jobId or sourceUrl for StartDeploymentRequest."):
        client.start_deployment(**site)
    with refused("BadRequestException", "Deployment file has not been uploaded"):
        client.start_deployment(**site, jobId="1")
    assert preamp.fetch("PUT", created["zipUploadUrl"], body=b"PK")[0] == 200
    started = client.start_deployment(**site, jobId="1")["jobSummary"]
    assert (started["status"], started["jobType"]) == ("PENDING", "MANUAL")
