"""Lists of jobs whose summaries are kept in memory are those of the database, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest

from preamp.api.job_summaries import FinishedJobs
from tests.support.control import InProcess, app_with_branch


@pytest.fixture
def app_id(client: Any) -> str:
    return app_with_branch(client)


def cancelled(client: Any, app_id: str, branch: str = "main") -> str:
    """The id of a new job that is over."""
    job_id = client.create_deployment(appId=app_id, branchName=branch)["jobId"]
    client.stop_job(appId=app_id, branchName=branch, jobId=job_id)
    return str(job_id)


def listed(client: Any, app_id: str, **more: Any) -> list[tuple[str, str]]:
    found = client.list_jobs(appId=app_id, branchName="main", **more)["jobSummaries"]
    return [(one["jobId"], one["status"]) for one in found]


def test_what_ends_and_what_is_deleted_shows_at_once(client: Any, app_id: str) -> None:
    for _ in range(3):
        cancelled(client, app_id)
    over = [("3", "CANCELLED"), ("2", "CANCELLED"), ("1", "CANCELLED")]
    assert listed(client, app_id) == listed(client, app_id) == over
    fourth = client.create_deployment(appId=app_id, branchName="main")["jobId"]
    assert listed(client, app_id) == listed(client, app_id) == [("4", "CREATED"), *over]
    client.stop_job(appId=app_id, branchName="main", jobId=fourth)
    assert listed(client, app_id) == [("4", "CANCELLED"), *over]
    client.delete_job(appId=app_id, branchName="main", jobId="2")
    assert listed(client, app_id) == [("4", "CANCELLED"), over[0], over[2]]


def test_a_summary_is_the_same_from_memory_and_as_get_job_has_it(client: Any, app_id: str) -> None:
    cancelled(client, app_id)
    asked = {"appId": app_id, "branchName": "main"}
    first, second = (client.list_jobs(**asked)["jobSummaries"] for _ in range(2))
    assert first == second == [client.get_job(**asked, jobId="1")["job"]["summary"]]


def test_a_branch_made_again_has_none_of_the_old_one(client: Any, app_id: str) -> None:
    cancelled(client, app_id)
    assert listed(client, app_id) == [("1", "CANCELLED")]
    client.delete_branch(appId=app_id, branchName="main")
    client.create_branch(appId=app_id, branchName="main")
    assert listed(client, app_id) == []
    client.create_deployment(appId=app_id, branchName="main")
    assert listed(client, app_id) == [("1", "CREATED")]


def test_pages_are_right_when_memory_is_too_small(client: Any, preamp: InProcess, app_id: str) -> None:
    small = FinishedJobs(most=2)
    object.__setattr__(preamp.control.services, "finished_jobs", small)
    for _ in range(5):
        cancelled(client, app_id)
    for _ in range(2):
        pages = client.get_paginator("list_jobs").paginate(
            appId=app_id, branchName="main", PaginationConfig={"PageSize": 2}
        )
        found = [one["jobId"] for page in pages for one in page["jobSummaries"]]
        assert found == ["5", "4", "3", "2", "1"]
    assert len(small._known) <= 3
