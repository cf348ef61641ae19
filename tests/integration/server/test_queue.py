"""What waits, for what, and in which order; newer pushes take the place of waiting ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from preamp.engine.claim import Claim, claim_next
from preamp.model.times import now_ms
from preamp.store import branches, workers
from tests.support.control import REPOSITORY, InProcess, in_process
from tests.support.own import call


@pytest.fixture
def preamp(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path / "data", concurrent_jobs=2) as it:
        yield it


def new_app(preamp: InProcess, name: str, *names: str) -> str:
    client = preamp.client()
    app_id = client.create_app(name=name, repository=REPOSITORY, oauthToken="t")["app"]["appId"]
    for branch in names:
        client.create_branch(appId=app_id, branchName=branch)
    return str(app_id)


def start(preamp: InProcess, app_id: str, *names: str) -> None:
    for branch in names:
        preamp.client().start_job(appId=app_id, branchName=branch, jobType="RELEASE")


def claim(preamp: InProcess, app_id: str, branch: str) -> object:
    with preamp.database.read() as conn:
        found = branches.get_branch(conn, app_id, branch)
    assert found is not None
    return claim_next(preamp.database, found.branch_id, worker_id="w", concurrent_jobs=2, now=now_ms())


def push(preamp: InProcess, app_id: str, branch: str) -> None:
    """Call a webhook of the branch."""
    client = preamp.client()
    found = client.list_webhooks(appId=app_id)["webhooks"]
    mine = [item for item in found if item["branchName"] == branch]
    hook = mine[0] if mine else client.create_webhook(appId=app_id, branchName=branch)["webhook"]
    assert preamp.fetch("POST", hook["webhookUrl"])[0] == 202


def shown(preamp: InProcess, **query: str) -> list[tuple[Any, ...]]:
    status, found = call(preamp, "GET", "/_preamp/queue", **query)
    assert status == 200, found
    return [(job["position"], job["branch"], job["jobId"], job["waitsFor"]) for job in found["jobs"]]


def test_reasons_and_positions(preamp: InProcess) -> None:
    busy = new_app(preamp, "busy", "a", "b", "c")
    quiet = new_app(preamp, "quiet", "main")
    start(preamp, busy, "a", "b", "c")
    start(preamp, quiet, "main")
    none = "a worker: none runs"
    assert shown(preamp) == [
        (1, "a", "1", none),
        (2, "main", "1", none),
        (3, "b", "1", none),
        (4, "c", "1", none),
    ]
    with preamp.database.write() as tx:
        workers.insert_worker(tx.conn, workers.this_worker(), now=now_ms())
    assert shown(preamp, app=quiet) == [(2, "main", "1", "a free slot of a worker")]
    assert isinstance(claim(preamp, busy, "a"), Claim)
    push(preamp, busy, "a")
    assert shown(preamp) == [
        (None, "a", "1", None),
        (1, "main", "1", "a free slot of a worker"),
        (2, "b", "1", "a free slot of a worker"),
        (3, "c", "1", "a free slot of a worker"),
        (4, "a", "2", "job 1 of its branch"),
    ]
    assert isinstance(claim(preamp, busy, "b"), Claim)
    full = "another job of the account to end: it runs as many at once as it may (2)"
    assert shown(preamp)[2:] == [
        (1, "main", "1", full),
        (2, "c", "1", full),
        (3, "a", "2", "job 1 of its branch"),
    ]


def test_a_deployment_without_its_upload_is_shown_as_that(preamp: InProcess) -> None:
    client = preamp.client()
    app_id = client.create_app(name="site")["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    client.create_deployment(appId=app_id, branchName="main")
    assert shown(preamp) == [(None, "main", "1", "its upload and StartDeployment")]


def test_other_accounts_see_nothing_of_it(preamp: InProcess) -> None:
    start(preamp, new_app(preamp, "site", "main"), "main")
    stranger = preamp.make_key(name="eve", account="999999999999")
    status, found = call(preamp, "GET", "/_preamp/queue", stranger)
    assert (status, found) == (200, {"jobs": []})
    assert call(preamp, "GET", "/_preamp/queue", sign=False)[0] == 403


def states(preamp: InProcess, app_id: str) -> list[str]:
    found = preamp.client().list_jobs(appId=app_id, branchName="main")["jobSummaries"]
    return [job["status"] for job in reversed(found)]


def test_a_newer_push_takes_the_place_of_those_that_wait(preamp: InProcess) -> None:
    app_id = new_app(preamp, "site", "main")
    push(preamp, app_id, "main")
    assert isinstance(claim(preamp, app_id, "main"), Claim)
    for _ in range(3):
        push(preamp, app_id, "main")
    assert states(preamp, app_id) == ["RUNNING", "CANCELLED", "CANCELLED", "PENDING"]
    job = preamp.client().get_job(appId=app_id, branchName="main", jobId="3")["job"]
    (step,) = job["steps"]
    assert (step["stepName"], step["status"]) == ("BUILD", "CANCELLED")
    assert step["statusReason"] == "Superseded by job 4, a newer push to this branch, before it began."


def test_what_the_api_started_is_not_superseded(preamp: InProcess) -> None:
    app_id = new_app(preamp, "site", "main")
    preamp.client().start_job(appId=app_id, branchName="main", jobType="WEB_HOOK")
    push(preamp, app_id, "main")
    push(preamp, app_id, "main")
    assert states(preamp, app_id) == ["PENDING", "CANCELLED", "PENDING"]


def test_an_app_can_have_every_push_built(
    preamp: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from preamp.cli.main import preamp as command

    app_id = new_app(preamp, "site", "main")
    monkeypatch.setenv("PREAMP_DATA", str(tmp_path / "data"))
    done = CliRunner().invoke(command, ["queue", "supersede", "site", "off"])
    assert done.output == "superseding of waiting pushes of site is off\n"
    for _ in range(3):
        push(preamp, app_id, "main")
    assert states(preamp, app_id) == ["PENDING"] * 3
    assert CliRunner().invoke(command, ["queue", "supersede", "site", "on"]).exit_code == 0
    push(preamp, app_id, "main")
    assert states(preamp, app_id) == ["CANCELLED"] * 3 + ["PENDING"]
