from __future__ import annotations

import json

from tests.support.fake_control import FakeControl, job
from tests.unit.cli.conftest import Run


def test_table_newest_first(control: FakeControl, run: Run) -> None:
    control.add_app("site")
    control.jobs = {"9": [job("SUCCEED", job_id="9")], "10": [job("RUNNING", job_id="10")]}
    lines = [line.split() for line in run("jobs", "site", "main").stdout.splitlines() if line.strip()]
    assert lines[0] == ["job", "type", "status", "started", "took", "commit", "message"]
    assert lines[2][:3] == ["10", "RELEASE", "RUNNING"]
    assert lines[3][:3] == ["9", "RELEASE", "SUCCEED"]
    assert lines[3][5:] == ["12.5", "s", "01234567", "Say", "hello"]


def test_for_programs_with_a_limit(control: FakeControl, run: Run) -> None:
    control.add_app("site")
    control.jobs = {str(number): [job("SUCCEED", job_id=str(number))] for number in range(1, 6)}
    found = json.loads(run("jobs", "site", "main", "--json", "--limit", "2").stdout)
    assert [item["jobId"] for item in found] == ["5", "4"]
    assert found[0]["startTime"] == "2025-10-09T08:53:20+00:00"
