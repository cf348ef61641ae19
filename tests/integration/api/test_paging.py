"""Every list, walked one row at a time while rows come and go; tokens are good for their list only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.api.test_artifacts import leave
from tests.support.control import REPOSITORY, InProcess, app_with_branch, refused


@dataclass
class Listing:
    """A list of the API: how rows are added, deleted and read."""

    page: Callable[..., dict[str, Any]]
    rows: str
    identify: Callable[[dict[str, Any]], str]
    add: Callable[[int], str]
    delete: Callable[[str], Any]
    newest_first: bool = False


def of_apps(client: Any, preamp: InProcess) -> Listing:
    return Listing(
        page=client.list_apps,
        rows="apps",
        identify=lambda row: row["appId"],
        add=lambda n: client.create_app(name=f"a{n}")["app"]["appId"],
        delete=lambda row: client.delete_app(appId=row),
    )


def of_branches(client: Any, preamp: InProcess) -> Listing:
    app_id = client.create_app(name="site")["app"]["appId"]
    return Listing(
        page=lambda **more: client.list_branches(appId=app_id, **more),
        rows="branches",
        identify=lambda row: row["branchName"],
        add=lambda n: client.create_branch(appId=app_id, branchName=f"b/{n}")["branch"]["branchName"],
        delete=lambda row: client.delete_branch(appId=app_id, branchName=row),
    )


def of_jobs(client: Any, preamp: InProcess) -> Listing:
    app_id = app_with_branch(client, repository=REPOSITORY)
    url = client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookUrl"]

    def add(n: int) -> str:
        assert preamp.fetch("POST", url)[0] == 202
        return client.list_jobs(appId=app_id, branchName="main", maxResults=1)["jobSummaries"][0]["jobId"]

    return Listing(
        page=lambda **more: client.list_jobs(appId=app_id, branchName="main", **more),
        rows="jobSummaries",
        identify=lambda row: row["jobId"],
        add=add,
        delete=lambda row: client.delete_job(appId=app_id, branchName="main", jobId=row),
        newest_first=True,
    )


def of_webhooks(client: Any, preamp: InProcess) -> Listing:
    app_id = app_with_branch(client)
    return Listing(
        page=lambda **more: client.list_webhooks(appId=app_id, **more),
        rows="webhooks",
        identify=lambda row: row["webhookId"],
        add=lambda n: client.create_webhook(appId=app_id, branchName="main")["webhook"]["webhookId"],
        delete=lambda row: client.delete_webhook(webhookId=row),
    )


def of_environments(client: Any, preamp: InProcess) -> Listing:
    app_id = client.create_app(name="site")["app"]["appId"]

    def add(n: int) -> str:
        client.create_backend_environment(appId=app_id, environmentName=f"e{n}")
        return f"e{n}"

    return Listing(
        page=lambda **more: client.list_backend_environments(appId=app_id, **more),
        rows="backendEnvironments",
        identify=lambda row: row["environmentName"],
        add=add,
        delete=lambda row: client.delete_backend_environment(appId=app_id, environmentName=row),
    )


LISTS = [of_apps, of_branches, of_jobs, of_webhooks, of_environments]


@pytest.fixture(params=LISTS, ids=lambda make: make.__name__)
def listing(request: pytest.FixtureRequest, client: Any, preamp: InProcess) -> Listing:
    return request.param(client, preamp)


def test_walk_while_rows_come_and_go(listing: Listing) -> None:
    first = [listing.add(n) for n in range(6)]
    order = list(reversed(first)) if listing.newest_first else first
    seen: list[str] = []
    token: str | None = None
    deleted: set[str] = set()
    added: list[str] = []
    steps = 0
    while steps == 0 or token is not None:
        page = listing.page(maxResults=1, **({"nextToken": token} if token else {}))
        seen += [listing.identify(row) for row in page[listing.rows]]
        assert len(page[listing.rows]) <= 1
        token = page.get("nextToken")
        steps += 1
        if steps == 2:
            for row in (order[1], order[3]):  # what the token stands on, and one that was not seen
                listing.delete(row)
                deleted.add(row)
        if steps == 3:
            added.append(listing.add(6))
        assert steps < 20
    assert len(seen) == len(set(seen))
    survivors = [row for row in order if row not in deleted]
    assert [row for row in seen if row in survivors] == survivors
    late = set() if listing.newest_first else set(added)
    assert set(seen) == {*survivors, order[1], *late}


def test_pages_of_other_sizes(listing: Listing) -> None:
    rows = [listing.add(n) for n in range(4)]
    order = list(reversed(rows)) if listing.newest_first else rows
    for size in (0, 4, 50):
        page = listing.page(maxResults=size)
        assert [listing.identify(row) for row in page[listing.rows]] == order
        assert "nextToken" not in page
    page = listing.page(maxResults=3)
    rest = listing.page(maxResults=50, nextToken=page["nextToken"])
    assert [listing.identify(row) for row in (*page[listing.rows], *rest[listing.rows])] == order


def test_token_of_another_list_is_refused(client: Any, preamp: InProcess) -> None:
    lists = [make(client, preamp) for make in (*LISTS, *LISTS)]
    tokens = []
    for number, one in enumerate(lists):
        for n in range(2):
            one.add(number * 10 + n)
        tokens.append(one.page(maxResults=1)["nextToken"])
    for number, one in enumerate(lists):
        for other, token in enumerate(tokens):
            if lists[number].rows == lists[other].rows == "apps" or number == other:
                continue
            with refused("BadRequestException", "nextToken"):
                one.page(nextToken=token)


def test_tampered_tokens(listing: Listing) -> None:
    for n in range(2):
        listing.add(n)
    token = listing.page(maxResults=1)["nextToken"]
    for wrong in (token[:-2], token + "AA", "x", token.swapcase(), "é", "=" * 100):
        with refused("BadRequestException", "nextToken"):
            listing.page(nextToken=wrong)


def test_artifacts_are_paged_too(client: Any, preamp: InProcess) -> None:
    app_id = app_with_branch(client, repository=REPOSITORY)
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    leave(preamp, {f"{n}.png": bytes([n]) for n in range(3)})
    names, more = [], {}
    while True:
        page = client.list_artifacts(appId=app_id, branchName="main", jobId="1", maxResults=1, **more)
        names += [row["artifactFileName"] for row in page["artifacts"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert names == ["0.png", "1.png", "2.png"]


def test_boto3s_own_paginators(client: Any, preamp: InProcess) -> None:
    app_id = app_with_branch(client, repository=REPOSITORY)
    for n in range(3):
        client.create_branch(appId=app_id, branchName=f"b{n}")
    walked = client.get_paginator("list_branches").paginate(appId=app_id, PaginationConfig={"PageSize": 2})
    assert [row["branchName"] for row in walked.search("branches[]")] == ["main", "b0", "b1", "b2"]
    assert len(list(client.get_paginator("list_apps").paginate().search("apps[]"))) == 1
