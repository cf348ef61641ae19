"""Branches: defaults, updates and messages of the behaviour reference, sections 3.3, 3.5 and 15."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.control import REPOSITORY, app_with_branch, refused


@pytest.fixture
def app_id(client: Any) -> str:
    return str(client.create_app(name="site", repository=REPOSITORY)["app"]["appId"])


def test_minimal_branch(client: Any, app_id: str) -> None:
    branch = client.create_branch(appId=app_id, branchName="dev")["branch"]
    assert branch == {
        "branchArn": f"arn:aws:amplify:us-east-1:000000000000:apps/{app_id}/branches/dev",
        "branchName": "dev",
        "description": "",
        "tags": {},
        "stage": "NONE",
        "displayName": "dev",
        "enableNotification": False,
        "createTime": branch["createTime"],
        "updateTime": branch["createTime"],
        "environmentVariables": {},
        "enableAutoBuild": True,
        "enableSkewProtection": False,
        "customDomains": [],
        "framework": "",
        "activeJobId": "",
        "totalNumberOfJobs": "0",
        "enableBasicAuth": False,
        "enablePerformanceMode": False,
        "ttl": "5",
        "enablePullRequestPreview": False,
    }
    assert client.get_branch(appId=app_id, branchName="dev")["branch"] == branch


def test_slash_in_the_name(client: Any, app_id: str) -> None:
    branch = client.create_branch(appId=app_id, branchName="feature/Foo bar")["branch"]
    assert branch["branchArn"].endswith(f"apps/{app_id}/branches/feature/Foo bar")
    assert branch["displayName"] == "feature-foo-bar"
    assert client.get_branch(appId=app_id, branchName="feature/Foo bar")["branch"] == branch
    client.delete_branch(appId=app_id, branchName="feature/Foo bar")


def test_second_branch_of_a_name(client: Any, app_id: str) -> None:
    client.create_branch(appId=app_id, branchName="dev")
    message = f"Failed to create branch. The branch dev already exists for the app {app_id}"
    with refused("BadRequestException", message):
        client.create_branch(appId=app_id, branchName="dev")


@pytest.mark.parametrize("call", ["get_branch", "update_branch", "delete_branch", "list_jobs"])
def test_unknown_branch(client: Any, app_id: str, call: str) -> None:
    with refused("NotFoundException", "Branch dev not found."):
        getattr(client, call)(appId=app_id, branchName="dev")
    with refused("NotFoundException", "App dnone not found."):
        getattr(client, call)(appId="dnone", branchName="dev")


@pytest.mark.parametrize("name", ["dev", "feature/x", "Main", "///"])
def test_whole_answer_fed_back_changes_nothing(client: Any, app_id: str, name: str) -> None:
    members = {
        "description": "a branch",
        "stage": "BETA",
        "framework": "React",
        "environmentVariables": {"A": "1"},
        "enableNotification": True,
        "enableAutoBuild": False,
        "ttl": "30",
        "backend": {"stackArn": "arn:aws:cloudformation:us-east-1:123456789012:stack/amplify-a/b"},
    }
    branch = client.create_branch(appId=app_id, branchName=name, **members)["branch"]
    assert {key: branch[key] for key in members} == members
    accepted = client.meta.service_model.operation_model("UpdateBranch").input_shape.members
    back = {key: value for key, value in branch.items() if key in accepted}
    updated = client.update_branch(appId=app_id, **back)["branch"]
    assert updated == {**branch, "updateTime": updated["updateTime"]}


def test_stage_none_is_taken_back(client: Any, app_id: str) -> None:
    client.create_branch(appId=app_id, branchName="dev", stage="PRODUCTION")
    assert client.update_branch(appId=app_id, branchName="dev", stage="NONE")["branch"]["stage"] == "NONE"


def test_updates(client: Any, app_id: str) -> None:
    client.create_branch(
        appId=app_id, branchName="dev", description="d", environmentVariables={"A": "1"}, ttl="9"
    )
    update = {"environmentVariables": {"": ""}, "description": "", "enableBasicAuth": True}
    branch = client.update_branch(appId=app_id, branchName="dev", **update)["branch"]
    assert (branch["environmentVariables"], branch["description"], branch["ttl"]) == ({}, "d", "9")
    assert branch["enableBasicAuth"] is True
    with refused("BadRequestException", "AWS_X"):
        client.update_branch(appId=app_id, branchName="dev", environmentVariables={"AWS_X": "1"})


def test_total_and_branch_made_anew(client: Any, app_id: str) -> None:
    client.create_branch(appId=app_id, branchName="dev")
    client.start_job(appId=app_id, branchName="dev", jobType="RELEASE")
    branch = client.get_branch(appId=app_id, branchName="dev")["branch"]
    assert branch["totalNumberOfJobs"] == "1"
    assert client.delete_branch(appId=app_id, branchName="dev")["branch"] == branch
    client.create_branch(appId=app_id, branchName="dev")
    assert client.list_jobs(appId=app_id, branchName="dev")["jobSummaries"] == []


def test_lists_are_in_creation_order_of_their_own_app(client: Any, app_id: str) -> None:
    app_with_branch(client, "elsewhere")
    for name in ("b", "a", "c"):
        client.create_branch(appId=app_id, branchName=name)
    assert [one["branchName"] for one in client.list_branches(appId=app_id)["branches"]] == ["b", "a", "c"]
