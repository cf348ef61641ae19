"""ListJobs of 50, with few and with many stored jobs: the answer must not get slower.

One signed request is replayed by wrk over 32 connections, so that the server alone is measured. The health
page of the same process, which does nothing, shows how far the work itself is from the floor.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sqlalchemy import insert, update

from bench.report import need, table
from preamp.model.times import now_ms
from preamp.store.database import open_sqlite
from preamp.store.tables import branches, jobs
from tests.support.preamp import Preamp, running

SIZES = tuple(int(size) for size in os.environ.get("SIZES", "1000,1000000").split(","))
SECONDS = 4
ROUNDS = 3
BATCH = 20_000


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk reports."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    wrk = need("wrk")
    with (
        tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary,
        running(Path(temporary) / "data") as preamp,
    ):
        client = preamp.client()
        apps = {size: client.create_app(name=str(size))["app"]["appId"] for size in SIZES}
        for app_id in apps.values():
            client.create_branch(appId=app_id, branchName="main")
        account = client.list_apps()["apps"][0]["appArn"].split(":")[4]
        preamp.stop()
        for size, app_id in apps.items():
            fill(preamp, app_id, account, size)
        preamp.start()
        measure(preamp, wrk, apps)


def measure(preamp: Preamp, wrk: str, apps: dict[int, str]) -> None:
    found: dict[int, list[Load]] = {size: [] for size in apps}
    floor: list[Load] = []
    for _ in range(ROUNDS):
        for size, app_id in apps.items():
            url = f"{preamp.control_url}/apps/{app_id}/branches/main/jobs?maxResults=50"
            found[size].append(load(wrk, url, signed(preamp, url)))
        url = f"{preamp.control_url}/_preamp/health"
        floor.append(load(wrk, url, {}))
    best = {size: max(loads, key=lambda item: item.requests_per_s) for size, loads in found.items()}
    idle = max(floor, key=lambda item: item.requests_per_s)
    first = best[SIZES[0]]
    table(
        f"ListJobs, 50 a page, 32 connections, best of {ROUNDS} rounds of {SECONDS} s",
        ("stored jobs", "requests/s", "p50 ms", "p99 ms", f"p99 / p99 at {SIZES[0]:,}"),
        [
            *(
                (f"{size:,}", one.requests_per_s, one.p50_ms, one.p99_ms, one.p99_ms / first.p99_ms)
                for size, one in best.items()
            ),
            (
                "health page (floor)",
                idle.requests_per_s,
                idle.p50_ms,
                idle.p99_ms,
                idle.p99_ms / first.p99_ms,
            ),
        ],
    )


def fill(preamp: Preamp, app_id: str, account: str, size: int) -> None:
    """Finished jobs, written past the API: it would take hours."""
    database = open_sqlite(preamp.data / "preamp.db")
    try:
        with database.read() as conn:
            branch_id = conn.execute(
                branches.select().where(branches.c.app_id == app_id)
            ).one().branch_id  # fmt: skip
        rows = finished_jobs(app_id, account, branch_id, size)
        while batch := [row for row, _ in zip(rows, range(BATCH), strict=False)]:
            with database.write() as tx:
                tx.conn.execute(insert(jobs), batch)
        with database.write() as tx:
            counts = update(branches).where(branches.c.branch_id == branch_id)
            tx.conn.execute(counts.values(last_job=size, job_count=size))
    finally:
        database.close()


def finished_jobs(app_id: str, account: str, branch_id: int, size: int) -> Iterator[dict[str, Any]]:
    now = now_ms()
    for number in range(1, size + 1):
        begun = now - (size - number) * 60_000
        yield {
            "branch_id": branch_id,
            "number": number,
            "app_id": app_id,
            "account": account,
            "region": "us-east-1",
            "type": "RELEASE",
            "state": "SUCCEED",
            "commit_id": f"{number:040x}",
            "commit_message": f"Change number {number}",
            "commit_time_ms": begun,
            "created_ms": begun,
            "started_ms": begun,
            "ended_ms": begun + 30_000,
            "attempt": 1,
        }


def signed(preamp: Preamp, url: str) -> dict[str, str]:
    """The headers of a request that the server accepts for some minutes."""
    found = preamp.variables()
    request = AWSRequest("GET", url, headers={"Host": urlsplit(url).netloc})
    credentials = Credentials(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "amplify", found["AWS_DEFAULT_REGION"]).add_auth(request)
    return dict(request.headers.items())


def load(wrk: str, url: str, headers: dict[str, str]) -> Load:
    arguments = [item for name, value in headers.items() for item in ("-H", f"{name}: {value}")]
    command = [wrk, "-t", "2", "-c", "32", "-d", f"{SECONDS}s", "--latency", *arguments, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate, text
    return Load(requests_per_s=float(rate[1]), p50_ms=latency(text, "50%"), p99_ms=latency(text, "99%"))


def latency(text: str, which: str) -> float:
    """In milliseconds."""
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)\b", text)
    assert found, text
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


if __name__ == "__main__":
    main()
