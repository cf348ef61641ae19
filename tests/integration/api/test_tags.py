from __future__ import annotations

from typing import Any

import pytest

from tests.support.control import InProcess, app_with_branch, refused


@pytest.fixture
def arns(client: Any) -> dict[str, str]:
    app = client.create_app(name="site", tags={"team": "web"})["app"]
    branch = client.create_branch(appId=app["appId"], branchName="feature/x")["branch"]
    webhook = client.create_webhook(appId=app["appId"], branchName="feature/x")["webhook"]
    domain = client.create_domain_association(
        appId=app["appId"],
        domainName="example.com",
        subDomainSettings=[{"prefix": "www", "branchName": "feature/x"}],
    )["domainAssociation"]
    return {
        "domain": domain["domainAssociationArn"],
        "app": app["appArn"],
        "branch": branch["branchArn"],
        "webhook": webhook["webhookArn"],
        "webhook, short": f"arn:aws:amplify:us-east-1:000000000000:webhooks/{webhook['webhookId']}",
    }


def tags_of(client: Any, arn: str) -> dict[str, str]:
    return client.list_tags_for_resource(resourceArn=arn)["tags"]


@pytest.mark.parametrize("kind", ["app", "branch", "domain", "webhook", "webhook, short"])
def test_life_of_tags(client: Any, arns: dict[str, str], kind: str) -> None:
    arn = arns[kind]
    before = tags_of(client, arn)
    client.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    client.tag_resource(resourceArn=arn, tags={"b": "3", "c": ""})
    assert tags_of(client, arn) == {**before, "a": "1", "b": "3", "c": ""}
    client.untag_resource(resourceArn=arn, tagKeys=["a", "b", "never-there"])
    assert tags_of(client, arn) == {**before, "c": ""}


def test_both_forms_of_a_webhooks_arn_are_one_resource(client: Any, arns: dict[str, str]) -> None:
    client.tag_resource(resourceArn=arns["webhook"], tags={"a": "1"})
    assert tags_of(client, arns["webhook, short"]) == {"a": "1"}


def test_tags_are_shown_with_their_resource(client: Any, arns: dict[str, str]) -> None:
    app_id = arns["app"].rsplit("/", 1)[1]
    client.tag_resource(resourceArn=arns["branch"], tags={"a": "1"})
    assert client.get_app(appId=app_id)["app"]["tags"] == {"team": "web"}
    assert client.get_branch(appId=app_id, branchName="feature/x")["branch"]["tags"] == {"a": "1"}


def test_fifty_tags_and_no_more(client: Any, arns: dict[str, str]) -> None:
    arn = arns["branch"]
    client.tag_resource(resourceArn=arn, tags={f"k{n}": "v" for n in range(50)})
    client.tag_resource(resourceArn=arn, tags={"k0": "other"})
    with refused("BadRequestException", "51 tags"):
        client.tag_resource(resourceArn=arn, tags={"one-more": "v"})
    assert len(tags_of(client, arn)) == 50


@pytest.mark.parametrize(
    "change",
    [
        ("us-east-1", "eu-west-1"),
        ("000000000000", "111111111111"),
        (":apps/", ":app/"),
        ("apps/d", "apps/dx"),
        ("/branches/feature/x", "/branches/feature"),
        ("/branches/feature/x", "/branches/feature/x/jobs/0000000001"),
        ("/branches/", "/backendenvironments/"),
        ("/branches/", "/domains/"),
    ],
)
def test_what_is_not_there_or_elsewhere(client: Any, arns: dict[str, str], change: tuple[str, str]) -> None:
    arn = arns["branch"].replace(*change, 1)
    assert arn != arns["branch"]
    for call, more in (
        (client.list_tags_for_resource, {}),
        (client.tag_resource, {"tags": {"a": "1"}}),
        (client.untag_resource, {"tagKeys": ["a"]}),
    ):
        with refused("ResourceNotFoundException", "not found"):
            call(resourceArn=arn, **more)


def test_error_has_code_and_message(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.list_tags_for_resource(resourceArn="arn:aws:amplify:us-east-1:000000000000:apps/dnone")
    assert caught.value.response["code"] == "ResourceNotFoundException"
    assert caught.value.response["message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_webhook_of_another_app_is_not_found(client: Any, arns: dict[str, str]) -> None:
    other = app_with_branch(client)
    webhook_id = arns["webhook"].rsplit("/", 1)[1]
    with refused("ResourceNotFoundException"):
        tags_of(client, f"arn:aws:amplify:us-east-1:000000000000:apps/{other}/webhooks/{webhook_id}")


def test_other_regions_resources_are_out_of_reach(preamp: InProcess, arns: dict[str, str]) -> None:
    there = preamp.client(region="eu-west-1")
    with refused("ResourceNotFoundException"):
        tags_of(there, arns["app"])
    with refused("ResourceNotFoundException"):
        tags_of(there, arns["app"].replace("us-east-1", "eu-west-1"))
