"""boto3, unmodified, over real HTTP: all 37 operations with success, and the four paginators."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.preamp import Preamp, running, until, wait_for_job
from tests.support.repositories import STATIC_SPEC, Repository, new_repository

pytestmark = [pytest.mark.needs("git", "bwrap")]

TESTED_SPEC = (
    STATIC_SPEC
    + """\
test:
  phases:
    test:
      commands: ['mkdir -p shots', 'echo picture > shots/login.png']
  artifacts:
    baseDirectory: shots
    files: ['**/*.png']
"""
)


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    # Every name below localhost leads here; those below the site domain are nobody's.
    with running(tmp_path_factory.mktemp("boto3") / "data", "--site-domain", "sites.localhost") as it:
        yield it


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path, {"index.html": "<h1>one</h1>\n", "amplify.yml": TESTED_SPEC})


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


def test_all_operations(preamp: Preamp, repository: Repository) -> None:
    client = preamp.client()
    succeeded: set[str] = set()
    client.meta.events.register(
        "after-call.amplify", lambda http_response, model, **_: succeeded.add(model.name)
    )
    app_id = apps(client, repository)
    branches(client, app_id)
    jobs(client, app_id)
    artifacts(client, app_id)
    tags(client, app_id)
    webhooks(client, app_id)
    backend_environments(client, app_id)
    domains(client, app_id)
    deployments(client)
    client.delete_branch(appId=app_id, branchName="feature/foo")
    assert client.delete_app(appId=app_id)["app"]["appId"] == app_id
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_app(appId=app_id)
    assert succeeded == set(client.meta.service_model.operation_names)
    assert len(succeeded) == 37


def apps(client: Any, repository: Repository) -> str:
    made = client.create_app(
        name="site",
        repository=repository.url,
        environmentVariables={"A": "1"},
        tags={"team": "web"},
        customRules=[{"source": "/old", "target": "/new", "status": "301"}],
    )
    assert made["ResponseMetadata"]["RetryAttempts"] == 0
    app = made["app"]
    assert abs(app["createTime"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert client.get_app(appId=app["appId"])["app"] == app
    # A whole answer is a valid update.
    members = client.meta.service_model.operation_model("UpdateApp").input_shape.members
    again = {name: value for name, value in app.items() if name in members}
    updated = client.update_app(**{**again, "enableBranchAutoDeletion": True})["app"]
    assert updated["enableBranchAutoDeletion"] is True
    assert app["appId"] in [one["appId"] for one in client.list_apps()["apps"]]
    return str(app["appId"])


def branches(client: Any, app_id: str) -> None:
    for name in ("main", "feature/foo"):
        made = client.create_branch(appId=app_id, branchName=name, stage="PRODUCTION")["branch"]
        assert made["branchArn"].endswith(f"/branches/{name}")
        assert client.get_branch(appId=app_id, branchName=name)["branch"] == made
    changed = client.update_branch(appId=app_id, branchName="feature/foo", description="new", ttl="60")
    assert (changed["branch"]["description"], changed["branch"]["ttl"]) == ("new", "60")
    listed = client.list_branches(appId=app_id)["branches"]
    assert [one["branchName"] for one in listed] == ["main", "feature/foo"]


def jobs(client: Any, app_id: str) -> None:
    asked = {"appId": app_id, "branchName": "main"}
    started = client.start_job(**asked, jobType="RELEASE", jobReason="because")["jobSummary"]
    assert (started["jobId"], started["jobType"]) == ("1", "RELEASE")
    with pytest.raises(client.exceptions.LimitExceededException):
        client.start_job(**asked, jobType="RELEASE")
    job = wait_for_job(client, app_id, "main", "1")
    assert job["summary"]["status"] == "SUCCEED", job
    assert [step["stepName"] for step in job["steps"]] == ["BUILD", "TEST", "DEPLOY", "VERIFY"]
    assert b"cp index.html dist/" in get(job["steps"][0]["logUrl"])

    client.start_job(**asked, jobType="RETRY", jobId="1")
    assert client.stop_job(**asked, jobId="2")["jobSummary"]["jobId"] == "2"
    assert wait_for_job(client, app_id, "main", "2")["summary"]["status"] == "CANCELLED"
    assert client.delete_job(**asked, jobId="2")["jobSummary"]["status"] == "CANCELLED"
    assert [one["jobId"] for one in client.list_jobs(**asked)["jobSummaries"]] == ["1"]


def artifacts(client: Any, app_id: str) -> None:
    (artifact,) = client.list_artifacts(appId=app_id, branchName="main", jobId="1")["artifacts"]
    assert artifact["artifactFileName"].endswith("login.png")
    url = client.get_artifact_url(artifactId=artifact["artifactId"])["artifactUrl"]
    assert get(url) == b"picture\n"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(url.replace("expires=", "expires=9"))


def tags(client: Any, app_id: str) -> None:
    arn = client.get_branch(appId=app_id, branchName="feature/foo")["branch"]["branchArn"]
    client.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    client.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_tags_for_resource(resourceArn=arn.replace(app_id, "d0000000000000"))


def webhooks(client: Any, app_id: str) -> None:
    hook = client.create_webhook(appId=app_id, branchName="feature/foo", description="cms")["webhook"]
    assert client.get_webhook(webhookId=hook["webhookId"])["webhook"] == hook
    moved = client.update_webhook(webhookId=hook["webhookId"], branchName="main", description="timer")
    assert (moved["webhook"]["branchName"], moved["webhook"]["description"]) == ("main", "timer")
    assert [one["webhookId"] for one in client.list_webhooks(appId=app_id)["webhooks"]] == [hook["webhookId"]]
    with urllib.request.urlopen(urllib.request.Request(hook["webhookUrl"], data=b"{}")) as answer:
        assert answer.status == 202
    newest = client.list_jobs(appId=app_id, branchName="main", maxResults=1)["jobSummaries"][0]
    assert (newest["jobId"], newest["jobType"]) == ("3", "WEB_HOOK")
    assert wait_for_job(client, app_id, "main", "3")["summary"]["status"] == "SUCCEED"
    client.delete_webhook(webhookId=hook["webhookId"])
    with pytest.raises(client.exceptions.NotFoundException):
        client.delete_webhook(webhookId=hook["webhookId"])


def backend_environments(client: Any, app_id: str) -> None:
    asked = {"appId": app_id, "environmentName": "staging"}
    made = client.create_backend_environment(**asked)["backendEnvironment"]
    assert made["stackName"] == f"amplify-{app_id}-staging"
    assert client.get_backend_environment(**asked)["backendEnvironment"] == made
    assert client.list_backend_environments(appId=app_id)["backendEnvironments"] == [made]
    assert client.delete_backend_environment(**asked)["backendEnvironment"] == made


def domains(client: Any, app_id: str) -> None:
    asked = {"appId": app_id, "domainName": "shop.localhost"}
    client.create_domain_association(**asked, subDomainSettings=[{"prefix": "www", "branchName": "main"}])

    def available() -> bool:
        found = client.get_domain_association(**asked)["domainAssociation"]
        return str(found["domainStatus"]) == "AVAILABLE"

    until(available, "the domain to be available")
    updated = client.update_domain_association(
        **asked,
        subDomainSettings=[
            {"prefix": "www", "branchName": "main"},
            {"prefix": "foo", "branchName": "feature/foo"},
        ],
    )["domainAssociation"]
    assert len(updated["subDomains"]) == 2
    until(available, "the domain to be available again")
    (listed,) = client.list_domain_associations(appId=app_id)["domainAssociations"]
    assert listed["domainName"] == "shop.localhost"
    log = get(
        client.generate_access_logs(**asked, startTime=datetime.now(UTC) - timedelta(hours=1))["logUrl"]
    )
    assert log.startswith(b"date,time,")
    assert client.delete_domain_association(**asked)["domainAssociation"]["domainName"] == "shop.localhost"


def deployments(client: Any) -> None:
    app_id = client.create_app(name="by hand")["app"]["appId"]
    asked = {"appId": app_id, "branchName": "dev"}
    client.create_branch(**asked)
    content = b"<h1>by hand</h1>"
    made = client.create_deployment(**asked, fileMap={"a b/index.html": hashlib.md5(content).hexdigest()})
    url = made["fileUploadUrls"]["a b/index.html"]
    with urllib.request.urlopen(urllib.request.Request(url, data=content, method="PUT")) as answer:
        assert answer.status == 200
    assert client.start_deployment(**asked, jobId=made["jobId"])["jobSummary"]["jobType"] == "MANUAL"
    assert wait_for_job(client, app_id, "dev", made["jobId"])["summary"]["status"] == "SUCCEED"


def test_the_four_paginators(preamp: Preamp) -> None:
    client = preamp.client(user_agent_extra="paginators")
    app_ids = [client.create_app(name=f"paged {number}")["app"]["appId"] for number in range(5)]
    app_id = app_ids[0]
    names = [f"b/{number}" for number in range(5)]
    for name in names:
        client.create_branch(appId=app_id, branchName=name)
        client.create_domain_association(
            appId=app_id,
            domainName=f"{name.replace('/', '')}.example.test",
            subDomainSettings=[{"prefix": "www", "branchName": name}],
        )
    for _ in range(5):
        number = client.create_deployment(appId=app_id, branchName="b/0")["jobId"]
        client.stop_job(appId=app_id, branchName="b/0", jobId=number)

    def walk(operation: str, result: str, member: str, *, size: int, **asked: Any) -> list[str]:
        pages = list(client.get_paginator(operation).paginate(**asked, PaginationConfig={"PageSize": size}))
        assert all(len(page[result]) <= size for page in pages)
        assert all("nextToken" in page for page in pages[:-1])
        assert "nextToken" not in pages[-1]
        return [one[member] for page in pages for one in page[result]]

    for size in (1, 2, 5):
        assert [one for one in walk("list_apps", "apps", "appId", size=size) if one in app_ids] == app_ids
        assert walk("list_branches", "branches", "branchName", size=size, appId=app_id) == names
        found = walk("list_domain_associations", "domainAssociations", "domainName", size=size, appId=app_id)
        assert found == [f"b{number}.example.test" for number in range(5)]
        found = walk("list_jobs", "jobSummaries", "jobId", size=size, appId=app_id, branchName="b/0")
        assert found == ["5", "4", "3", "2", "1"]

    # What the paginator calls MaxItems and StartingToken: stop in the middle of a page, go on there.
    paginator = client.get_paginator("list_branches")
    first = paginator.paginate(
        appId=app_id, PaginationConfig={"MaxItems": 3, "PageSize": 2}
    ).build_full_result()
    rest = paginator.paginate(
        appId=app_id, PaginationConfig={"StartingToken": first["NextToken"], "PageSize": 2}
    ).build_full_result()
    assert [one["branchName"] for one in first["branches"] + rest["branches"]] == names
