"""What the resources of Terraform's AWS provider do, call by call, replayed with boto3.

The provider itself is a program of 700 MB from a registry of its own and is not run here. The calls, the
idioms and the waiters are those of its resources `aws_amplify_app`, `_branch`, `_webhook`,
`_backend_environment` and `_domain_association` (behaviour reference, sections 3 and 15).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from tests.support.preamp import Preamp, running

pytestmark = [pytest.mark.needs("bwrap")]

NO_VARIABLES = {"": ""}
"""How the provider clears a map."""
WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def preamp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preamp]:
    with running(tmp_path_factory.mktemp("terraform") / "data", "--site-domain", "sites.localhost") as it:
        yield it


@pytest.fixture
def client(preamp: Preamp) -> Any:
    return preamp.client()


def delete(call: Any, **asked: str) -> None:
    """A resource that is already gone is deleted."""
    try:
        call(**asked)
    except Exception as error:
        code = error.response["Error"]["Code"]  # type: ignore[attr-defined]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]  # type: ignore[attr-defined]
        if (code, status) != ("NotFoundException", 404):
            raise


def wait(client: Any, pending: Collection[str], target: Collection[str], **asked: str) -> dict[str, Any]:
    """The provider's StateChangeConf: a status that is in neither is an error at once."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = dict(client.get_domain_association(**asked)["domainAssociation"])
        if found["domainStatus"] in target:
            return found
        assert found["domainStatus"] in pending, f"unexpected state: {found}"
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_app(client: Any) -> None:
    made = client.create_app(name="tf", environmentVariables={"A": "1"}, description="first")["app"]
    app_id = made["appId"]
    assert client.get_app(appId=app_id)["app"]["defaultDomain"].startswith(f"{app_id}.")

    # An update sends what changed; maps that became empty are cleared by an idiom, lists by an empty list.
    client.update_app(
        appId=app_id,
        customRules=[{"source": "/<*>", "target": "/index.html", "status": "404"}],
        enableAutoBranchCreation=True,
        autoBranchCreationPatterns=["feature/*"],
        autoBranchCreationConfig={"environmentVariables": {"B": "2"}, "stage": "DEVELOPMENT"},
    )
    client.update_app(appId=app_id, environmentVariables=NO_VARIABLES, customRules=[])
    app = client.get_app(appId=app_id)["app"]
    assert app["environmentVariables"] == {}
    assert app.get("customRules", []) == []
    assert app["autoBranchCreationPatterns"] == ["feature/*"]
    client.update_app(
        appId=app_id, autoBranchCreationConfig={"environmentVariables": NO_VARIABLES, "stage": "DEVELOPMENT"}
    )
    config = client.get_app(appId=app_id)["app"]["autoBranchCreationConfig"]
    assert config.get("environmentVariables", {}) == {}
    assert config["stage"] == "DEVELOPMENT"
    client.update_app(appId=app_id, enableAutoBranchCreation=False)

    # Tags have calls of their own, on every resource.
    client.tag_resource(resourceArn=app["appArn"], tags={"k1": "v1", "k2": "v2"})
    client.untag_resource(resourceArn=app["appArn"], tagKeys=["k1"])
    assert client.get_app(appId=app_id)["app"]["tags"] == {"k2": "v2"}
    for _ in range(2):
        delete(client.delete_app, appId=app_id)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_app(appId=app_id)


def test_branch_webhook_and_backend_environment(client: Any) -> None:
    app_id = client.create_app(name="tf")["app"]["appId"]
    environment = client.create_backend_environment(appId=app_id, environmentName="backend")
    backend_arn = environment["backendEnvironment"]["backendEnvironmentArn"]
    client.create_branch(
        appId=app_id,
        branchName="feature/tf",
        environmentVariables={"A": "1"},
        backendEnvironmentArn=backend_arn,
        enableBasicAuth=True,
        basicAuthCredentials="dXNlcjpwYXNz",
        stage="PRODUCTION",
    )
    asked = {"appId": app_id, "branchName": "feature/tf"}
    client.update_branch(**asked, environmentVariables=NO_VARIABLES, enableBasicAuth=False)
    branch = client.get_branch(**asked)["branch"]
    assert branch["environmentVariables"] == {}
    assert branch["enableBasicAuth"] is False
    assert branch["basicAuthCredentials"] == "dXNlcjpwYXNz"
    assert branch["backendEnvironmentArn"] == backend_arn
    assert (branch["stage"], branch["ttl"], branch["displayName"]) == ("PRODUCTION", "5", "feature-tf")

    hook = client.create_webhook(**asked, description="d")["webhook"]["webhookId"]
    assert client.update_webhook(webhookId=hook, branchName="feature/tf", description="e")["webhook"][
        "description"
    ] == "e"  # fmt: skip
    for _ in range(2):
        delete(client.delete_webhook, webhookId=hook)
        delete(client.delete_backend_environment, appId=app_id, environmentName="backend")
        delete(client.delete_branch, **asked)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_branch(**asked)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_webhook(webhookId=hook)


def test_domain_association(client: Any) -> None:
    app_id = client.create_app(name="tf")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    asked = {"appId": app_id, "domainName": "tf.localhost"}
    client.create_domain_association(
        **asked,
        enableAutoSubDomain=False,
        subDomainSettings=[{"branchName": "main", "prefix": ""}, {"branchName": "main", "prefix": "www"}],
    )
    wait(
        client,
        {"CREATING", "IN_PROGRESS", "REQUESTING_CERTIFICATE"},
        {"PENDING_VERIFICATION", "PENDING_DEPLOYMENT", "AVAILABLE"},
        **asked,
    )
    verifying = {"UPDATING", "IN_PROGRESS", "PENDING_VERIFICATION"}
    found = wait(client, verifying, {"PENDING_DEPLOYMENT", "AVAILABLE"}, **asked)
    assert found["certificateVerificationDNSRecord"].count(" CNAME ") == 1
    # The provider reads the prefix as "" when it is left out.
    prefixes = {sub["subDomainSetting"].get("prefix", "") for sub in found["subDomains"]}
    assert prefixes == {"", "www"}
    assert all(len(sub["dnsRecord"].split(" ")) == 3 for sub in found["subDomains"])

    client.update_domain_association(**asked, subDomainSettings=[{"branchName": "main", "prefix": "www"}])
    found = wait(client, verifying, {"PENDING_DEPLOYMENT", "AVAILABLE"}, **asked)
    assert [sub["subDomainSetting"]["prefix"] for sub in found["subDomains"]] == ["www"]
    for _ in range(2):
        delete(client.delete_domain_association, **asked)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_domain_association(**asked)
    delete(client.delete_app, appId=app_id)
