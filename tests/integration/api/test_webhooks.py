"""Webhooks through the API, and their URLs as a repository host or a timer calls them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.control import REPOSITORY, InProcess, app_with_branch, in_process, refused

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
AWS_HOST = "webhooks.amplify.us-east-1.amazonaws.com"


@pytest.fixture
def app_id(client: Any) -> str:
    return app_with_branch(client, repository=REPOSITORY)


@pytest.fixture
def url(client: Any, app_id: str) -> str:
    return str(client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookUrl"])


def jobs_of(client: Any, app_id: str, branch: str = "main") -> list[dict[str, Any]]:
    return client.list_jobs(appId=app_id, branchName=branch)["jobSummaries"]


def test_life_of_a_webhook(client: Any, app_id: str) -> None:
    client.create_branch(appId=app_id, branchName="dev")
    webhook = client.create_webhook(appId=app_id, branchName="main", description="nightly")["webhook"]
    webhook_id = webhook["webhookId"]
    assert re.fullmatch(UUID, webhook_id)
    assert (
        webhook["webhookArn"] == f"arn:aws:amplify:us-east-1:000000000000:apps/{app_id}/webhooks/{webhook_id}"
    )
    assert re.fullmatch(
        rf"http://127\.0\.0\.1:7732/_preamp/webhooks\?id={webhook_id}&token=[A-Za-z0-9]{{40}}&operation=startbuild",
        webhook["webhookUrl"],
    )
    assert (webhook["appId"], webhook["branchName"], webhook["description"]) == (app_id, "main", "nightly")
    assert webhook["createTime"] == webhook["updateTime"]
    assert client.get_webhook(webhookId=webhook_id)["webhook"] == webhook

    moved = client.update_webhook(webhookId=webhook_id, branchName="dev")["webhook"]
    assert moved == {**webhook, "branchName": "dev", "updateTime": moved["updateTime"]}
    told = client.update_webhook(webhookId=webhook_id, description="hourly")["webhook"]
    assert (told["branchName"], told["description"]) == ("dev", "hourly")

    assert client.delete_webhook(webhookId=webhook_id)["webhook"] == told
    for call in (client.get_webhook, client.update_webhook, client.delete_webhook):
        with refused("NotFoundException", f"Webhook {webhook_id} not found."):
            call(webhookId=webhook_id)
    assert client.list_webhooks(appId=app_id)["webhooks"] == []


def test_description_is_empty_when_not_given(client: Any, app_id: str) -> None:
    assert client.create_webhook(appId=app_id, branchName="main")["webhook"]["description"] == ""


def test_branch_has_to_exist(client: Any, app_id: str) -> None:
    with refused("NotFoundException", "Branch none not found."):
        client.create_webhook(appId=app_id, branchName="none")
    webhook_id = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookId"]
    with refused("NotFoundException", "Branch none not found."):
        client.update_webhook(webhookId=webhook_id, branchName="none")


def test_other_regions_do_not_see_it(preamp: InProcess, client: Any, app_id: str) -> None:
    webhook_id = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookId"]
    with refused("NotFoundException"):
        preamp.client(region="eu-west-1").get_webhook(webhookId=webhook_id)


def test_tokens_are_sealed_at_rest(preamp: InProcess, url: str) -> None:
    token = parse_qs(urlsplit(url).query)["token"][0].encode()
    for file in preamp.control.services.settings.data.iterdir():
        if file.is_file():
            assert token not in file.read_bytes()


def test_call_starts_a_build(preamp: InProcess, client: Any, app_id: str, url: str) -> None:
    status, headers, body = preamp.fetch("POST", url, body=b'{"anything": true}')
    assert status == 202
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"jobId": "1", "status": "PENDING"}
    (job,) = jobs_of(client, app_id)
    assert (job["jobType"], job["commitId"], job["status"]) == ("WEB_HOOK", "HEAD", "PENDING")
    assert len(preamp.engine.woken) == 1


def test_calls_queue_while_start_job_is_refused(
    preamp: InProcess, client: Any, app_id: str, url: str
) -> None:
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    assert [preamp.fetch("POST", url)[0] for _ in range(2)] == [202, 202]
    with refused("LimitExceededException"):
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    assert [(job["jobId"], job["jobType"]) for job in jobs_of(client, app_id)] == [
        ("3", "WEB_HOOK"),
        ("2", "WEB_HOOK"),
        ("1", "RELEASE"),
    ]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("token=", "token=x"), 403),
        (("token=", "token=%C3%A9%00"), 403),
        (("id=", "id=0"), 403),
        (("token=", "no="), 400),
        (("id=", "no="), 400),
        (("?id=", "?token=a&id="), 400),
        (("operation=startbuild", "operation=stopbuild"), 400),
        (("?id=", "?" + "a=1&" * 30 + "id="), 400),
    ],
)
def test_wrong_urls(
    preamp: InProcess, client: Any, app_id: str, url: str, change: tuple[str, str], status: int
) -> None:
    wrong = url.replace(*change)
    found, _, body = preamp.fetch("POST", wrong)
    assert found == status
    assert json.loads(body)["message"]
    assert parse_qs(urlsplit(url).query)["token"][0] not in body.decode()
    assert jobs_of(client, app_id) == []


def test_unknown_id_and_wrong_token_get_the_same_answer(preamp: InProcess, url: str) -> None:
    answers = [preamp.fetch("POST", url.replace(name, f"{name}0"))[2] for name in ("id=", "token=")]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_only_post_starts_builds(preamp: InProcess, client: Any, app_id: str, url: str, method: str) -> None:
    status, headers, _ = preamp.fetch(method, url)
    assert (status, headers["allow"]) == (405, "POST")
    assert jobs_of(client, app_id) == []


def test_operation_may_be_missing_as_in_old_urls(preamp: InProcess, url: str) -> None:
    assert preamp.fetch("POST", url.replace("&operation=startbuild", ""))[0] == 202


def test_app_without_repository(preamp: InProcess, client: Any) -> None:
    app_id = app_with_branch(client)
    url = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookUrl"]
    status, _, body = preamp.fetch("POST", url)
    assert status == 400
    assert "no repository" in json.loads(body)["message"]


def test_full_disk_is_told(tmp_path: Path) -> None:
    with in_process(tmp_path / "data") as roomy:
        client = roomy.client()
        url = client.create_webhook(appId=app_with_branch(client, repository=REPOSITORY), branchName="main")[
            "webhook"
        ]["webhookUrl"]
    with in_process(tmp_path / "data", min_free_bytes=1 << 60) as full:
        status, _, body = full.fetch("POST", url)
        assert status == 503
        assert "min_free_bytes" in json.loads(body)["message"]


def test_aws_path_answers_for_the_aws_host_only(
    preamp: InProcess, client: Any, app_id: str, url: str
) -> None:
    aws = url.replace("/_preamp/webhooks", "/prod/webhooks")
    assert preamp.fetch("POST", aws, headers={"Host": AWS_HOST})[0] == 202
    assert preamp.fetch("POST", aws, headers={"Host": f"{AWS_HOST}:7732"})[0] == 202
    assert preamp.fetch("POST", aws)[0] == 404
    assert preamp.fetch("POST", aws, headers={"Host": f"evil.{AWS_HOST}"})[0] == 404
    assert len(jobs_of(client, app_id)) == 2


def test_host_setting_gives_urls_aws_form(tmp_path: Path) -> None:
    with in_process(tmp_path / "data", webhook_host="hooks.example:8443") as preamp:
        client = preamp.client()
        app_id = app_with_branch(client, repository=REPOSITORY)
        url = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookUrl"]
        assert re.fullmatch(
            rf"https://hooks\.example:8443/prod/webhooks\?id={UUID}&token=\w{{40}}&operation=startbuild", url
        )
        assert preamp.fetch("POST", url)[0] == 202


def test_deleted_branch_takes_its_webhooks_along(
    preamp: InProcess, client: Any, app_id: str, url: str
) -> None:
    client.delete_branch(appId=app_id, branchName="main")
    client.create_branch(appId=app_id, branchName="main")
    assert client.list_webhooks(appId=app_id)["webhooks"] == []
    assert preamp.fetch("POST", url)[0] == 403


def test_moved_webhook_builds_the_other_branch(preamp: InProcess, client: Any, app_id: str, url: str) -> None:
    client.create_branch(appId=app_id, branchName="dev")
    webhook_id = parse_qs(urlsplit(url).query)["id"][0]
    client.update_webhook(webhookId=webhook_id, branchName="dev")
    assert preamp.fetch("POST", url)[0] == 202
    assert (len(jobs_of(client, app_id)), len(jobs_of(client, app_id, "dev"))) == (0, 1)
