"""ListJobs of 50 with few and with many stored jobs, and GetApp, by one and by two control processes.

One signed request is repeated by wrk over 32 connections, so that the server alone is measured. moto_server
is the yardstick, in turns with us on the same machine; the health page, which does nothing, is the floor.
`SIZES=1000` leaves the large one out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials
from sqlalchemy import insert, update

from bench import moto
from bench.processes import pss_mb
from bench.report import need, table
from bench.wrk import CONNECTIONS, SECONDS, Load, Request, load, signed
from preamp.model.times import now_ms
from preamp.store.database import open_sqlite
from preamp.store.tables import branches, jobs
from tests.support.preamp import Preamp, running
from tests.support.processes import processes_of

SIZES = tuple(int(size) for size in os.environ.get("SIZES", "1000,1000000").split(","))
PROCESSES = (1, 2)
ROUNDS = 3
BATCH = 20_000
HEALTH = "health page (floor)"


def main() -> None:
    wrk = need("wrk")
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary, moto.serving() as moto_url:
        others = moto.lists(moto_url)
        data = Path(temporary) / "data"
        apps = stored(data)
        for count in PROCESSES:
            with running(data, "--control-processes", str(count)) as preamp:
                found, memory = measure(preamp, wrk, apps, others)
            report(found, memory, count)


def stored(data: Path) -> dict[int, str]:
    """The id of an app for each size, with so many jobs on its branch main."""
    with running(data) as preamp:
        client = preamp.client()
        apps = {size: client.create_app(name=str(size))["app"]["appId"] for size in SIZES}
        for app_id in apps.values():
            client.create_branch(appId=app_id, branchName="main")
        account = client.list_apps()["apps"][0]["appArn"].split(":")[4]
    for size, app_id in apps.items():
        fill(data, app_id, account, size)
    return apps


def measure(
    preamp: Preamp, wrk: str, apps: dict[int, str], others: dict[str, Request]
) -> tuple[dict[str, Load], float]:
    """The best of some rounds by name, and the memory of a control process in MiB."""
    ours = preamp.variables()
    key = Credentials(ours["AWS_ACCESS_KEY_ID"], ours["AWS_SECRET_ACCESS_KEY"])
    paths = {
        f"ListJobs, {size:,} stored": f"{app}/branches/main/jobs?maxResults=50" for size, app in apps.items()
    }
    paths["GetApp"] = apps[SIZES[0]]
    requests = {
        name: signed(
            Request(url=f"{preamp.control_url}/apps/{path}"),
            key,
            service="amplify",
            region=ours["AWS_DEFAULT_REGION"],
        )
        for name, path in paths.items()
    }
    requests |= {HEALTH: Request(url=f"{preamp.control_url}/_preamp/health"), **others}
    found: dict[str, list[Load]] = {name: [] for name in requests}
    for _ in range(ROUNDS):
        for name, request in requests.items():
            found[name].append(load(wrk, request))
    best = {name: max(loads, key=lambda one: one.requests_per_s) for name, loads in found.items()}
    return best, max(pss_mb(pid) for pid in processes_of(preamp, "control"))


def report(found: dict[str, Load], memory: float, processes: int) -> None:
    first = found[f"ListJobs, {SIZES[0]:,} stored"]
    quickest = max(one.requests_per_s for name, one in found.items() if name.startswith("moto"))
    who = f"{processes} control process{'es' if processes > 1 else ''} of {memory:.0f} MiB"
    table(
        f"{who}, {CONNECTIONS} connections, best of {ROUNDS} rounds of {SECONDS} s",
        ("", "requests/s", "p50 ms", "p99 ms", "p99 / first p99", "requests/s / quickest moto"),
        [
            (
                name,
                one.requests_per_s,
                one.p50_ms,
                one.p99_ms,
                one.p99_ms / first.p99_ms,
                one.requests_per_s / quickest,
            )
            for name, one in found.items()
        ],
    )


def fill(data: Path, app_id: str, account: str, size: int) -> None:
    """Finished jobs, written past the API: it would take hours."""
    database = open_sqlite(data / "preamp.db")
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
        begun = now - (size - number) * 100
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


if __name__ == "__main__":
    main()
