"""GenerateAccessLogs: plain boto3, and a plain GET of what it returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from preamp.store.access_logs import HEADER, AccessLog
from tests.support.control import InProcess, app_with_branch, refused

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def app_id(client: Any) -> str:
    app_id = app_with_branch(client)
    client.create_domain_association(
        appId=app_id, domainName="example.com", subDomainSettings=[{"prefix": "www", "branchName": "main"}]
    )
    return app_id


def visit(preamp: InProcess, app_id: str, host: str, path: str, at: datetime = NOW) -> None:
    log = AccessLog(preamp.control.services.folder.access)
    log.add(
        app_id,
        host,
        host=host,
        method="GET",
        path=path,
        status=200,
        result="Hit",
        sent=1,
        client="192.0.2.1",
        at=at.timestamp(),
    )
    log.close()


def paths(preamp: InProcess, client: Any, app_id: str, domain: str, **times: Any) -> list[str]:
    url = client.generate_access_logs(appId=app_id, domainName=domain, **times)["logUrl"]
    status, headers, body = preamp.fetch("GET", url)
    assert status == 200
    assert headers["content-type"].startswith("text/csv")
    assert body.startswith(HEADER)
    return [line.split(",")[7] for line in body[len(HEADER) :].decode().splitlines()]


def test_by_default_the_last_day(preamp: InProcess, client: Any, app_id: str) -> None:
    visit(preamp, app_id, "www.example.com", "/now")
    visit(preamp, app_id, "www.example.com", "/yesterday", NOW - timedelta(hours=23))
    visit(preamp, app_id, "www.example.com", "/before", NOW - timedelta(hours=25))
    assert paths(preamp, client, app_id, "example.com") == ["/yesterday", "/now"]
    assert paths(preamp, client, app_id, "EXAMPLE.com.") == ["/yesterday", "/now"]


def test_times_are_inclusive(preamp: InProcess, client: Any, app_id: str) -> None:
    for minute in range(5):
        visit(preamp, app_id, "www.example.com", f"/{minute}", NOW - timedelta(minutes=minute))
    start, end = NOW - timedelta(minutes=3), NOW - timedelta(minutes=1)
    found = paths(preamp, client, app_id, "example.com", startTime=start, endTime=end)
    assert sorted(found) == ["/1", "/2", "/3"]


def test_default_domain_branch_and_custom_hosts(preamp: InProcess, client: Any, app_id: str) -> None:
    client.create_branch(appId=app_id, branchName="dev")
    visit(preamp, app_id, f"main.{app_id}.localhost", "/main")
    visit(preamp, app_id, f"dev.{app_id}.localhost", "/dev")
    visit(preamp, app_id, f"1--main.{app_id}.localhost", "/release")
    visit(preamp, app_id, "www.example.com", "/custom")
    assert sorted(paths(preamp, client, app_id, f"{app_id}.localhost")) == ["/dev", "/main", "/release"]
    assert paths(preamp, client, app_id, f"dev.{app_id}.localhost") == ["/dev"]
    assert paths(preamp, client, app_id, "www.example.com") == ["/custom"]


def test_the_url_shows_what_came_since(preamp: InProcess, client: Any, app_id: str) -> None:
    end = NOW + timedelta(hours=1)
    url = client.generate_access_logs(appId=app_id, domainName="example.com", endTime=end)["logUrl"]
    visit(preamp, app_id, "www.example.com", "/later")
    assert b"/later" in preamp.fetch("GET", url)[2]
    assert preamp.fetch("HEAD", url)[2] == b""
    assert preamp.fetch("GET", url.replace("example.com", "other.com", 1))[0] == 403


def test_unknown_domains_are_not_found(client: Any, app_id: str) -> None:
    other = app_with_branch(client)
    for domain in ("gone.example", f"{other}.localhost", f"gone.{app_id}.localhost", "shop.example.com"):
        with refused("NotFoundException", f"Domain {domain} not found"):
            client.generate_access_logs(appId=app_id, domainName=domain)
    with refused("NotFoundException", "App d404 not found."):
        client.generate_access_logs(appId="d404", domainName="example.com")


def test_ranges_have_a_limit_and_a_direction(client: Any, app_id: str) -> None:
    with refused("BadRequestException", "too large"):
        client.generate_access_logs(
            appId=app_id, domainName="example.com", startTime=NOW - timedelta(days=15), endTime=NOW
        )
    with refused("BadRequestException", "must not be later"):
        client.generate_access_logs(
            appId=app_id, domainName="example.com", startTime=NOW, endTime=NOW - timedelta(seconds=1)
        )
    fourteen = {"startTime": NOW - timedelta(days=14), "endTime": NOW}
    assert client.generate_access_logs(appId=app_id, domainName="example.com", **fourteen)["logUrl"]


def test_times_before_time_give_nothing(preamp: InProcess, client: Any, app_id: str) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert paths(preamp, client, app_id, "example.com", endTime=epoch) == []
