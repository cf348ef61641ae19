from __future__ import annotations

from typing import Any

import pytest

from preamp.engine.claim import Claim, Nothing, claim_next
from preamp.model.caller import Scope
from preamp.model.quotas import DEFAULTS, Quota
from preamp.model.times import now_ms
from preamp.store import quotas
from tests.support.control import REPOSITORY, InProcess, app_with_branch, refused

SCOPE = Scope(account="000000000000", region="us-east-1")


def limit(preamp: InProcess, quota: Quota, value: int | None, scope: Scope = SCOPE) -> None:
    with preamp.database.write() as tx:
        quotas.set_limit(tx.conn, scope, quota, value)


def test_defaults_are_aws_numbers_but_for_the_rate() -> None:
    assert {quota: DEFAULTS[quota] for quota in Quota} == {
        Quota.APPS: 25,
        Quota.APP_CREATIONS_PER_HOUR: None,
        Quota.BRANCHES_PER_APP: 50,
        Quota.CONCURRENT_JOBS: 5,
        Quota.DOMAINS_PER_APP: 5,
        Quota.SUBDOMAINS_PER_DOMAIN: 50,
        Quota.WEBHOOKS_PER_APP: 50,
    }


def test_apps_of_an_account_and_region(preamp: InProcess, client: Any) -> None:
    apps = [client.create_app(name=f"a{n}")["app"]["appId"] for n in range(25)]
    message = "Failed to create app. You have reached the maximum number of apps in this account."
    with pytest.raises(client.exceptions.LimitExceededException, match=message) as caught:
        client.create_app(name="one more")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    preamp.client(region="eu-west-1").create_app(name="elsewhere")
    client.delete_app(appId=apps[0])
    client.create_app(name="in its place")
    limit(preamp, Quota.APPS, None)
    client.create_app(name="one more")


def test_app_creations_per_hour_count_deleted_apps(preamp: InProcess, client: Any) -> None:
    limit(preamp, Quota.APP_CREATIONS_PER_HOUR, 2)
    for n in range(2):
        client.delete_app(appId=client.create_app(name=f"a{n}")["app"]["appId"])
    with refused("BadRequestException", "Rate exceeded while calling CreateApp, please slow down"):
        client.create_app(name="third")
    with preamp.database.write() as tx:
        tx.conn.exec_driver_sql("UPDATE app_creations SET at_ms = at_ms - 3600001")
    client.create_app(name="an hour later")
    with preamp.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM app_creations").scalar() == 1


def test_branches_of_an_app(preamp: InProcess, client: Any) -> None:
    limit(preamp, Quota.BRANCHES_PER_APP, 2)
    app_id = app_with_branch(client)
    client.create_branch(appId=app_id, branchName="dev")
    with refused("LimitExceededException", "maximum number of branches in this app"):
        client.create_branch(appId=app_id, branchName="third")
    with refused("BadRequestException", "already exists"):
        client.create_branch(appId=app_id, branchName="dev")
    app_with_branch(client)


def test_webhooks_of_an_app(preamp: InProcess, client: Any) -> None:
    limit(preamp, Quota.WEBHOOKS_PER_APP, 1)
    app_id = app_with_branch(client)
    webhook = client.create_webhook(appId=app_id, branchName="main")["webhook"]
    with refused("LimitExceededException", "maximum number of webhooks in this app"):
        client.create_webhook(appId=app_id, branchName="main")
    client.delete_webhook(webhookId=webhook["webhookId"])
    client.create_webhook(appId=app_id, branchName="main")


def test_concurrent_jobs(preamp: InProcess, client: Any) -> None:
    """The worker's setting is the default; the quota of an account and region is stronger."""
    for _ in range(3):
        app_id = app_with_branch(client, repository=REPOSITORY)
        client.start_job(appId=app_id, branchName="main", jobType="RELEASE")

    def claim(branch_id: int, setting: int) -> Claim | Nothing:
        return claim_next(preamp.database, branch_id, worker_id="w", concurrent_jobs=setting, now=now_ms())

    assert isinstance(claim(1, 1), Claim)
    assert claim(2, 1) is Nothing.FULL
    limit(preamp, Quota.CONCURRENT_JOBS, 2)
    assert isinstance(claim(2, 1), Claim)
    assert claim(3, 100) is Nothing.FULL
    limit(preamp, Quota.CONCURRENT_JOBS, None)
    assert isinstance(claim(3, 1), Claim)


def test_quota_of_another_region_changes_nothing(preamp: InProcess, client: Any) -> None:
    limit(preamp, Quota.APPS, 0, Scope(account="000000000000", region="eu-west-1"))
    client.create_app(name="here")
    with refused("LimitExceededException"):
        preamp.client(region="eu-west-1").create_app(name="there")
