from __future__ import annotations

import pytest

from preamp.cli.connection import Endpoint
from preamp.cli.errors import Unreachable
from preamp.cli.follow import PATIENCE_SECONDS, POLL_SECONDS, follow
from preamp.cli.remote import JobView, Remote, StepView
from tests.support.fake_control import FakeControl, job, step


class Record:
    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.text: dict[str, str] = {}
        self.order: list[str] = []

    def job(self, job: JobView) -> None:
        self.statuses.append(job.status.value)

    def step(self, step: StepView) -> None:
        self.order.append(f"{step.name} {step.status.value}")

    def log(self, step: str, text: str) -> None:
        self.order.append(f"{step} log")
        self.text[step] = self.text.get(step, "") + text


@pytest.fixture
def remote(control: FakeControl) -> Remote:
    return Remote(Endpoint(control_url=control.url, region="us-east-1"))


def test_until_the_end_with_every_line(control: FakeControl, remote: Remote) -> None:
    build, deploy = f"{control.url}/_preamp/logs/build", f"{control.url}/_preamp/logs/deploy"
    control.logs = {"build": b"a\n", "deploy": b""}
    control.jobs["1"] = [
        job("PENDING"),
        job("RUNNING", step("BUILD", "RUNNING", logUrl=build)),
        job("RUNNING", step("BUILD", "SUCCEED", logUrl=build), step("DEPLOY", "RUNNING", logUrl=deploy)),
        job("SUCCEED", step("BUILD", "SUCCEED", logUrl=build), step("DEPLOY", "SUCCEED", logUrl=deploy)),
    ]
    growth = iter([{}, {"build": b"a\nb\n"}, {"build": b"a\nb\nc\n", "deploy": b"live\n"}])
    record = Record()
    ended = follow(remote, "d1", "main", "1", record, sleep=lambda _: control.logs.update(next(growth)))
    assert ended.succeeded
    assert record.statuses == ["PENDING", "RUNNING", "RUNNING", "SUCCEED"]
    assert record.order[-4:] == ["BUILD log", "BUILD SUCCEED", "DEPLOY log", "DEPLOY SUCCEED"]
    assert record.text == {"BUILD": "a\nb\nc\n", "DEPLOY": "live\n"}


def test_restart_of_the_server_is_waited_for(control: FakeControl, remote: Remote) -> None:
    control.jobs["1"] = [job("SUCCEED")]
    good, remote_job = remote, remote.job
    failures = iter([Unreachable("down"), Unreachable("down")])

    def flaky(*arguments: str) -> JobView:
        for error in failures:
            raise error
        return remote_job(*arguments)

    good.job = flaky  # type: ignore[method-assign]
    waits: list[float] = []
    assert follow(good, "d1", "main", "1", Record(), sleep=waits.append).succeeded
    assert waits == [POLL_SECONDS] * 2


def test_server_that_stays_away() -> None:
    remote = Remote(
        Endpoint(control_url="http://127.0.0.1:1", region="us-east-1", access_key_id="A", secret="B")
    )
    now = iter([0.0, 1.0, PATIENCE_SECONDS + 1.0])
    with pytest.raises(Unreachable):
        follow(remote, "d1", "main", "1", Record(), sleep=lambda _: None, clock=lambda: next(now))
