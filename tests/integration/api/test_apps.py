"""Apps: defaults, updates and messages of the behaviour reference, sections 3.2, 3.5 and 15."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from preamp.store import artifacts, branches, tables
from tests.support.control import REPOSITORY, InProcess, app_with_branch, refused

CREDENTIALS = base64.b64encode(b"user:password").decode()


def app_of(client: Any, app_id: str) -> dict[str, Any]:
    return client.get_app(appId=app_id)["app"]


def test_minimal_app(client: Any) -> None:
    app = client.create_app(name="site")["app"]
    assert re.fullmatch(r"d[0-9a-z]{11,13}", app["appId"])
    assert app == {
        "appId": app["appId"],
        "appArn": f"arn:aws:amplify:us-east-1:000000000000:apps/{app['appId']}",
        "name": "site",
        "tags": {},
        "description": "",
        "repository": "",
        "platform": "WEB",
        "createTime": app["createTime"],
        "updateTime": app["createTime"],
        "environmentVariables": {},
        "defaultDomain": f"{app['appId']}.localhost:7780",
        "enableBranchAutoBuild": False,
        "enableBranchAutoDeletion": False,
        "enableBasicAuth": False,
        "customRules": [],
        "customHeaders": "",
        "enableAutoBranchCreation": False,
        "cacheConfig": {"type": "AMPLIFY_MANAGED"},
        "jobConfig": {"buildComputeType": "STANDARD_8GB"},
    }
    assert app_of(client, app["appId"]) == app


EVERYTHING: dict[str, Any] = {
    "name": "site",
    "description": "a site",
    "repository": REPOSITORY,
    "platform": "WEB_COMPUTE",
    "iamServiceRoleArn": "arn:aws:iam::000000000000:role/service",
    "computeRoleArn": "arn:aws:iam::000000000000:role/compute",
    "environmentVariables": {"A": "1", "_BUILD_TIMEOUT": "60", "EMPTY": ""},
    "enableBranchAutoBuild": True,
    "enableBranchAutoDeletion": True,
    "enableBasicAuth": True,
    "basicAuthCredentials": CREDENTIALS,
    "customRules": [
        {"source": "/<*>", "target": "/index.html", "status": "404-200"},
        {"source": "/a", "target": "/b", "status": "302", "condition": "<GB>"},
    ],
    "buildSpec": "version: 1\n",
    "customHeaders": "customHeaders: []\n",
    "enableAutoBranchCreation": True,
    "autoBranchCreationPatterns": ["feature/*"],
    "autoBranchCreationConfig": {
        "stage": "DEVELOPMENT",
        "framework": "React",
        "enableAutoBuild": True,
        "environmentVariables": {"B": "2"},
        "basicAuthCredentials": CREDENTIALS,
        "enableBasicAuth": True,
        "enablePerformanceMode": False,
        "buildSpec": "version: 1\n",
        "enablePullRequestPreview": True,
        "pullRequestEnvironmentName": "preview",
    },
    "cacheConfig": {"type": "AMPLIFY_MANAGED_NO_COOKIES"},
    "jobConfig": {"buildComputeType": "LARGE_16GB"},
}


def test_everything_comes_back_as_given_but_tokens(client: Any) -> None:
    app = client.create_app(**EVERYTHING, accessToken="secret-token", tags={"a": "b"})["app"]
    assert {name: app[name] for name in EVERYTHING} == EVERYTHING
    assert "secret-token" not in repr(app)
    assert (app["tags"], app["repositoryCloneMethod"]) == ({"a": "b"}, "TOKEN")


def test_whole_answer_fed_back_changes_nothing(client: Any) -> None:
    for members in (EVERYTHING, {"name": "site"}):
        app = client.create_app(**members)["app"]
        accepted = client.meta.service_model.operation_model("UpdateApp").input_shape.members
        updated = client.update_app(**{name: value for name, value in app.items() if name in accepted})["app"]
        assert updated == {**app, "updateTime": updated["updateTime"]}


def test_whole_answer_as_raw_json(preamp: InProcess, client: Any) -> None:
    """As a shell script or another SDK sends it, read-only members and all."""
    app = client.create_app(**EVERYTHING)["app"]
    raw = {name: value.timestamp() if hasattr(value, "timestamp") else value for name, value in app.items()}

    def add_members(params: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps(raw).encode()

    client.meta.events.register("before-call.amplify.UpdateApp", add_members)
    updated = client.update_app(appId=app["appId"])["app"]
    assert updated == {**app, "updateTime": updated["updateTime"]}


def test_absent_members_stay(client: Any) -> None:
    app = client.create_app(**EVERYTHING)["app"]
    updated = client.update_app(appId=app["appId"], name="other")["app"]
    assert updated == {**app, "name": "other", "updateTime": updated["updateTime"]}
    assert updated["updateTime"] >= app["updateTime"]


def test_what_empty_values_clear_and_what_not(client: Any) -> None:
    app_id = client.create_app(**EVERYTHING)["app"]["appId"]
    app = client.update_app(
        appId=app_id,
        description="",
        iamServiceRoleArn="",
        basicAuthCredentials="",
        repository="",
        customRules=[],
        customHeaders="",
        environmentVariables={"": ""},
    )["app"]
    for name in ("description", "iamServiceRoleArn", "basicAuthCredentials", "repository"):
        assert app[name] == EVERYTHING[name]
    assert (app["customRules"], app["customHeaders"], app["environmentVariables"]) == ([], "", {})


def test_lists_and_maps_are_replaced_whole(client: Any) -> None:
    app_id = client.create_app(**EVERYTHING)["app"]["appId"]
    rules = [{"source": "/x", "target": "/y"}]
    app = client.update_app(appId=app_id, environmentVariables={"C": "3"}, customRules=rules)["app"]
    assert (app["environmentVariables"], app["customRules"]) == ({"C": "3"}, rules)


def test_flags_can_be_switched_off(client: Any) -> None:
    app_id = client.create_app(**EVERYTHING)["app"]["appId"]
    flags = [
        "enableBranchAutoBuild",
        "enableBranchAutoDeletion",
        "enableBasicAuth",
        "enableAutoBranchCreation",
    ]
    app = client.update_app(appId=app_id, **dict.fromkeys(flags, False))["app"]
    assert [app[flag] for flag in flags] == [False] * 4


@pytest.mark.parametrize("more", [{}, {"autoBranchCreationConfig": {}}])
def test_auto_branch_creation_config_is_shown_with_its_defaults(client: Any, more: dict[str, Any]) -> None:
    app = client.create_app(
        name="site", enableAutoBranchCreation=True, autoBranchCreationPatterns=["*"], **more
    )["app"]
    assert app["autoBranchCreationConfig"] == {
        "stage": "NONE",
        "enableAutoBuild": False,
        "environmentVariables": {},
        "enableBasicAuth": False,
        "enablePerformanceMode": False,
        "enablePullRequestPreview": False,
    }


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS", "AWSOME"])
def test_reserved_variables(client: Any, name: str) -> None:
    with refused("BadRequestException", f"variable {name} is not allowed"):
        client.create_app(name="site", environmentVariables={name: "x"})
    app_id = client.create_app(name="site")["app"]["appId"]
    with refused("BadRequestException", name):
        client.update_app(appId=app_id, environmentVariables={name: "x"})


@pytest.mark.parametrize("call", ["get_app", "update_app", "delete_app", "list_branches", "list_webhooks"])
def test_unknown_app(client: Any, call: str) -> None:
    with refused("NotFoundException", "App dnone not found."):
        getattr(client, call)(appId="dnone")


def test_deleted_app_is_gone_with_everything(client: Any) -> None:
    app_id = app_with_branch(client, repository=REPOSITORY)
    webhook_id = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookId"]
    app = app_of(client, app_id)
    assert client.delete_app(appId=app_id)["app"] == app
    for call in (client.get_app, client.delete_app):
        with refused("NotFoundException"):
            call(appId=app_id)
    with refused("NotFoundException"):
        client.get_webhook(webhookId=webhook_id)
    assert client.list_apps()["apps"] == []


def test_production_branch_appears_with_its_stage(client: Any) -> None:
    app_id = app_with_branch(client)
    assert "productionBranch" not in app_of(client, app_id)
    client.update_branch(appId=app_id, branchName="main", stage="PRODUCTION")
    assert app_of(client, app_id)["productionBranch"] == {"branchName": "main"}
    assert client.list_apps()["apps"] == [app_of(client, app_id)]


def test_production_branch_has_the_picture_of_what_it_serves(preamp: InProcess, client: Any) -> None:
    app_id = app_with_branch(client)
    client.update_branch(appId=app_id, branchName="main", stage="PRODUCTION")
    blobs = preamp.control.stores.blobs
    picture = blobs.put_bytes(b"\x89PNG")
    with preamp.database.write() as tx:
        branch = branches.get_branch(tx.conn, app_id, "main")
        assert branch is not None
        tx.conn.execute(update(tables.branches).values(active_job=3))
        artifacts.add_screenshot(tx.conn, branch.branch_id, 3, "1280x800.png", picture)
        artifacts.add_screenshot(tx.conn, branch.branch_id, 4, "1280x800.png", picture)
    url = app_of(client, app_id)["productionBranch"]["thumbnailUrl"]
    status, headers, body = preamp.fetch("GET", url)
    assert (status, headers["content-type"], body) == (200, "image/png", b"\x89PNG")
    of_branch = client.get_branch(appId=app_id, branchName="main")["branch"]["thumbnailUrl"]
    assert urlsplit(url).path == urlsplit(of_branch).path
    assert "thumbnailUrl" in client.list_apps()["apps"][0]["productionBranch"]


@pytest.mark.parametrize(
    ("repository", "method"),
    [
        ("https://github.com/o/r", "TOKEN"),
        ("git@gitlab.com:o/r.git", "SSH"),
        ("ssh://git@host/o/r.git", "SSH"),
        ("https://user@host/o/r", "TOKEN"),
    ],
)
def test_clone_method(client: Any, repository: str, method: str) -> None:
    assert client.create_app(name="site", repository=repository)["app"]["repositoryCloneMethod"] == method
