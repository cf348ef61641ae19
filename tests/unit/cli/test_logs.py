from __future__ import annotations

import pytest

from tests.support.fake_control import FakeControl, job, step
from tests.unit.cli.conftest import Run


@pytest.fixture
def failed(control: FakeControl) -> FakeControl:
    control.add_app("site")
    url = f"{control.url}/_preamp/logs"
    control.logs = {"build": b"building\n", "deploy": b"deploying\n"}
    steps = (
        step("BUILD", "SUCCEED", logUrl=f"{url}/build"),
        step("DEPLOY", "FAILED", logUrl=f"{url}/deploy", statusReason="disk full"),
    )
    control.jobs = {"1": [job("SUCCEED")], "2": [job("FAILED", *steps, job_id="2")]}
    return control


def test_newest_job_every_step(failed: FakeControl, run: Run) -> None:
    result = run("logs", "site", "main")
    assert result.exit_code == 0, result.output
    assert result.stdout == "building\ndeploying\n"


def test_one_step(failed: FakeControl, run: Run) -> None:
    assert run("logs", "site", "main", "2", "--step", "deploy").stdout == "deploying\n"


def test_follow_ends_as_the_job(failed: FakeControl, run: Run) -> None:
    result = run("logs", "site", "main", "2", "--follow")
    assert result.exit_code == 1
    assert result.stdout == "building\ndeploying\n"
    assert "job 2 ended FAILED: disk full" in result.stderr


def test_unknown_job(failed: FakeControl, run: Run) -> None:
    result = run("logs", "site", "main", "7")
    assert result.exit_code == 2
    assert "NotFoundException" in result.stderr


def test_branch_without_jobs(control: FakeControl, run: Run) -> None:
    control.add_app("site")
    result = run("logs", "site", "main")
    assert result.exit_code == 2
    assert "no jobs yet" in result.stderr
