"""Policies of keys, asked by the real resolver about real requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from preamp.store import keys
from tests.integration.api.test_artifacts import leave
from tests.support.control import REPOSITORY, InProcess, app_with_branch, refused
from tests.support.preamp import until

BASE = "arn:aws:amplify:us-east-1:000000000000"


def statement(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


@pytest.fixture
def holder(preamp: InProcess) -> Callable[..., Any]:
    """A client whose key has these statements as its policy."""

    def make(*statements: dict[str, Any]) -> Any:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        return preamp.client(preamp.make_key(policy=policy))

    return make


@pytest.fixture
def app_id(client: Any) -> str:
    return app_with_branch(client, repository=REPOSITORY)


def denied(action: str, resource: str):
    return refused(
        "AccessDeniedException",
        f"User: arn:aws:iam::000000000000:user/bob is not authorized to perform: {action} "
        f"on resource: {resource}",
    )


def test_every_operation_asks_for_its_action_and_resource(
    preamp: InProcess, client: Any, holder: Callable[..., Any], app_id: str
) -> None:
    """Nothing is allowed, so each answer names what was asked for."""
    bob = holder(statement("s3:*"))
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    webhook_id = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookId"]
    leave(preamp, {"a.png": b"x"})
    (artifact,) = client.list_artifacts(appId=app_id, branchName="main", jobId="1")["artifacts"]
    app = f"{BASE}:apps/{app_id}"
    branch = f"{app}/branches/feature/x"
    in_app = {"appId": app_id}
    in_branch = {"appId": app_id, "branchName": "feature/x"}
    environment = {**in_app, "environmentName": "dev"}
    domain = {**in_app, "domainName": "example.com"}
    subdomains = {"subDomainSettings": [{"prefix": "", "branchName": "main"}]}
    job = {**in_branch, "jobId": "12"}
    webhook = f"{app}/webhooks/{webhook_id}"
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("CreateApp", {"name": "x"}, f"{BASE}:apps/*"),
        ("ListApps", {}, "*"),
        *(
            (name, in_app, app)
            for name in ("GetApp", "UpdateApp", "DeleteApp", "ListBranches", "ListDomainAssociations")
        ),
        ("ListBackendEnvironments", in_app, app),
        ("ListWebhooks", in_app, app),
        *((f"{verb}BackendEnvironment", environment, app) for verb in ("Create", "Get", "Delete")),
        ("ListArtifacts", job, app),
        ("GetArtifactUrl", {"artifactId": artifact["artifactId"]}, app),
        ("GetArtifactUrl", {"artifactId": "made-up"}, f"{BASE}:apps/*"),
        ("GenerateAccessLogs", {**in_app, "domainName": "example.com"}, app),
        *((f"{verb}Branch", in_branch, branch) for verb in ("Create", "Get", "Update", "Delete")),
        *((name, in_branch, branch) for name in ("ListJobs", "CreateDeployment", "CreateWebhook")),
        ("StartDeployment", {**in_branch, "jobId": "1"}, branch),
        ("StartJob", {**in_branch, "jobType": "RELEASE"}, f"{branch}/jobs/*"),
        ("StartJob", {**in_branch, "jobType": "RETRY", "jobId": "3"}, f"{branch}/jobs/*"),
        *((name, job, f"{branch}/jobs/0000000012") for name in ("GetJob", "StopJob", "DeleteJob")),
        ("CreateDomainAssociation", {**domain, **subdomains}, f"{app}/domains/example.com"),
        ("UpdateDomainAssociation", domain, f"{app}/domains/example.com"),
        ("GetDomainAssociation", domain, f"{app}/domains/example.com"),
        ("DeleteDomainAssociation", domain, f"{app}/domains/example.com"),
        *((f"{verb}Webhook", {"webhookId": webhook_id}, webhook) for verb in ("Get", "Update", "Delete")),
        ("GetWebhook", {"webhookId": "none"}, f"{BASE}:webhooks/none"),
        ("ListTagsForResource", {"resourceArn": branch}, branch),
        ("TagResource", {"resourceArn": app, "tags": {"a": "b"}}, app),
        ("UntagResource", {"resourceArn": webhook, "tagKeys": ["a"]}, webhook),
    ]
    assert {name for name, _, _ in cases} == set(bob.meta.method_to_api_mapping.values())
    for name, arguments, resource in cases:
        method = next(m for m, op in bob.meta.method_to_api_mapping.items() if op == name)
        with denied(f"amplify:{name.replace('Webhook', 'WebHook')}", f"{resource} because no identity-based"):
            getattr(bob, method)(**arguments)


def test_reader_of_one_app(client: Any, holder: Callable[..., Any], app_id: str) -> None:
    other = app_with_branch(client)
    app = f"{BASE}:apps/{app_id}"
    bob = holder(statement(["amplify:Get*", "amplify:List*"], [app, f"{app}/*"]))
    assert bob.get_app(appId=app_id)["app"]["appId"] == app_id
    assert bob.list_jobs(appId=app_id, branchName="main")["jobSummaries"] == []
    with denied("amplify:GetApp", f"{BASE}:apps/{other}"):
        bob.get_app(appId=other)
    with denied("amplify:DeleteApp", app):
        bob.delete_app(appId=app_id)
    with denied("amplify:ListApps", "*"):
        bob.list_apps()


def test_what_does_not_exist_is_not_found_only_when_allowed(holder: Callable[..., Any]) -> None:
    with refused("NotFoundException"):
        holder(statement("amplify:GetApp")).get_app(appId="dnone")
    with denied("amplify:GetApp", f"{BASE}:apps/dnone"):
        holder(statement("amplify:GetBranch")).get_app(appId="dnone")


def test_start_job_is_asked_about_the_branchs_jobs(holder: Callable[..., Any], app_id: str) -> None:
    branch = f"{BASE}:apps/{app_id}/branches/main"
    with denied("amplify:StartJob", f"{branch}/jobs/*"):
        holder(statement("amplify:StartJob", branch)).start_job(
            appId=app_id, branchName="main", jobType="RELEASE"
        )
    bob = holder(statement(["amplify:StartJob", "amplify:StopJob"], f"{branch}/jobs/*"))
    assert bob.start_job(appId=app_id, branchName="main", jobType="RELEASE")["jobSummary"]["jobId"] == "1"
    assert bob.stop_job(appId=app_id, branchName="main", jobId="1")


@pytest.mark.parametrize("number", ["1", "0000000001"])
@pytest.mark.parametrize("asked", ["1", "01", "0" * 60 + "1"])
def test_no_spelling_of_a_job_id_escapes_a_deny(
    holder: Callable[..., Any], client: Any, app_id: str, number: str, asked: str
) -> None:
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    jobs = f"{BASE}:apps/{app_id}/branches/main/jobs"
    bob = holder(statement("amplify:*"), statement("amplify:StopJob", f"{jobs}/{number}", "Deny"))
    with refused("AccessDeniedException", "with an explicit deny"):
        bob.stop_job(appId=app_id, branchName="main", jobId=asked)


@pytest.mark.parametrize("form", ["apps/{app}/webhooks/{id}", "webhooks/{id}"])
def test_both_forms_of_webhook_arns_work_in_policies(
    holder: Callable[..., Any], client: Any, app_id: str, form: str
) -> None:
    webhook_id = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookId"]
    arn = f"{BASE}:{form.format(app=app_id, id=webhook_id)}"
    assert holder(statement("amplify:GetWebHook", arn)).get_webhook(webhookId=webhook_id)
    bob = holder(statement("amplify:*"), statement("amplify:TagResource", arn, "Deny"))
    for other in ("apps/{app}/webhooks/{id}", "webhooks/{id}"):
        with refused("AccessDeniedException", "with an explicit deny"):
            bob.tag_resource(resourceArn=f"{BASE}:{other.format(app=app_id, id=webhook_id)}", tags={"a": "b"})


@pytest.mark.parametrize("name", ["example.com", "Example.COM", "example.com."])
def test_no_spelling_of_a_domain_escapes_a_deny(
    holder: Callable[..., Any], client: Any, app_id: str, name: str
) -> None:
    settings = [{"prefix": "www", "branchName": "main"}]
    arn = f"{BASE}:apps/{app_id}/domains/example.com"
    bob = holder(statement("amplify:*"), statement("amplify:*", arn, "Deny"))
    with refused("AccessDeniedException", "with an explicit deny"):
        bob.create_domain_association(appId=app_id, domainName=name, subDomainSettings=settings)
    client.create_domain_association(appId=app_id, domainName=name, subDomainSettings=settings)
    with refused("AccessDeniedException", "with an explicit deny"):
        bob.get_domain_association(appId=app_id, domainName=name)
    with refused("AccessDeniedException", "with an explicit deny"):
        bob.tag_resource(resourceArn=f"{BASE}:apps/{app_id}/domains/{name}", tags={"a": "b"})


def test_actions_ignore_case(holder: Callable[..., Any], app_id: str) -> None:
    assert holder(statement("Amplify:LISTWEBHOOKS")).list_webhooks(appId=app_id)


def test_request_tags(holder: Callable[..., Any]) -> None:
    bob = holder(statement("amplify:*", Condition={"StringEquals": {"aws:RequestTag/team": ["web", "api"]}}))
    app = bob.create_app(name="x", tags={"team": "web"})["app"]
    for tags in ({}, {"team": "ops"}):
        with denied("amplify:CreateApp", f"{BASE}:apps/*"):
            bob.create_app(name="x", tags=tags)
    bob.create_branch(appId=app["appId"], branchName="b", tags={"team": "api"})
    with denied("amplify:CreateBranch", f"{app['appArn']}/branches/c"):
        bob.create_branch(appId=app["appId"], branchName="c")
    bob.tag_resource(resourceArn=app["appArn"], tags={"team": "api"})
    with denied("amplify:TagResource", app["appArn"]):
        bob.tag_resource(resourceArn=app["appArn"], tags={"team": "ops"})


def test_resource_tags(holder: Callable[..., Any], client: Any, app_id: str) -> None:
    app, branch = f"{BASE}:apps/{app_id}", f"{BASE}:apps/{app_id}/branches/main"
    webhook = client.create_webhook(appId=app_id, branchName="main")["webhook"]
    bob = holder(statement("amplify:*", Condition={"StringEquals": {"aws:ResourceTag/team": "web"}}))
    calls = [
        (app, lambda: bob.update_app(appId=app_id, name="new")),
        (branch, lambda: bob.update_branch(appId=app_id, branchName="main", description="new")),
        (branch, lambda: bob.list_jobs(appId=app_id, branchName="main")),
        (webhook["webhookArn"], lambda: bob.update_webhook(webhookId=webhook["webhookId"])),
        (branch, lambda: bob.untag_resource(resourceArn=branch, tagKeys=["x"])),
    ]
    for arn, call in calls:
        client.untag_resource(resourceArn=arn, tagKeys=["team"])
        with refused("AccessDeniedException"):
            call()
        client.tag_resource(resourceArn=arn, tags={"team": "web"})
        call()
    with refused("AccessDeniedException"):  # jobs have no tags
        bob.start_job(appId=app_id, branchName="main", jobType="RELEASE")


def test_tag_keys(holder: Callable[..., Any], client: Any, app_id: str) -> None:
    app = f"{BASE}:apps/{app_id}"
    bob = holder(statement("amplify:*", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}))
    bob.tag_resource(resourceArn=app, tags={"a": "1", "b": "2"})
    bob.untag_resource(resourceArn=app, tagKeys=["a"])
    with denied("amplify:TagResource", app):
        bob.tag_resource(resourceArn=app, tags={"a": "1", "c": "2"})
    with denied("amplify:UntagResource", app):
        bob.untag_resource(resourceArn=app, tagKeys=["c"])


def test_disabled_key(preamp: InProcess) -> None:
    key = preamp.make_key()
    with preamp.database.write() as tx:
        keys.set_enabled(tx.conn, key.access_key_id, enabled=False)
    with refused("UnrecognizedClientException"):
        preamp.client(key).list_apps()


def test_key_that_is_disabled_while_in_use(preamp: InProcess) -> None:
    """Noticed soon, not necessarily by the very next request."""
    key = preamp.make_key()
    bob = preamp.client(key)
    assert bob.list_apps()["apps"] == []
    with preamp.database.write() as tx:
        keys.set_enabled(tx.conn, key.access_key_id, enabled=False)

    def is_refused() -> bool:
        try:
            bob.list_apps()
        except ClientError as error:
            return bool(error.response["Error"]["Code"] == "UnrecognizedClientException")
        return False

    until(is_refused, "the disabled key to be refused")


def test_accounts_are_separate_worlds(preamp: InProcess, client: Any, app_id: str) -> None:
    there = preamp.client(preamp.make_key(account="111111111111"))
    assert there.list_apps()["apps"] == []
    with refused("NotFoundException", f"App {app_id} not found."):
        there.get_app(appId=app_id)
    mine = there.create_app(name="mine")["app"]
    assert mine["appArn"].startswith("arn:aws:amplify:us-east-1:111111111111:apps/")
    with refused("ResourceNotFoundException"):
        client.list_tags_for_resource(resourceArn=mine["appArn"])
