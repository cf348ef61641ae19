"""Both forms as processes: from the call of StartJob until the job runs, and what idle processes cost."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.processes import cpu_seconds, pss_mb
from bench.report import median, need, percentile, table
from preamp.server.roles import Role
from preamp.settings import Settings
from preamp.store.stores import open_database
from preamp.store.tables import attempts, branches
from tests.support.cluster import running_cluster
from tests.support.preamp import TERMINAL, Preamp, running, until
from tests.support.processes import processes_of
from tests.support.repositories import STATIC_SPEC, new_repository

JOBS = int(os.environ.get("JOBS", "60"))
NAMES = [f"b{number}" for number in range(6)]
IDLE_SECONDS = 10.0


@dataclass
class Form:
    client: Any
    settings: Settings
    pids: Callable[[], dict[str, int]]


@contextmanager
def embedded(folder: Path) -> Iterator[Form]:
    with running(folder / "data") as preamp:
        parent = preamp.process
        assert parent is not None
        yield Form(
            preamp.client(),
            Settings(data=folder / "data"),
            lambda: {"parent": parent.pid, **children(preamp)},
        )


@contextmanager
def distributed(folder: Path) -> Iterator[Form]:
    with running_cluster(
        folder, controls=1, workers=1, edges=1, lease_seconds=15, namespaces=False
    ) as cluster:
        client = cluster.client(cluster.of_role("control")[0], cluster.administrator())
        yield Form(
            client,
            cluster.settings,
            lambda: {member.role: member.process.pid for member in cluster.members if member.process},
        )


def main() -> None:
    need("postgres")
    starts, idle = [], []
    for name, form in (("embedded", embedded), ("distributed", distributed)):
        with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
            folder = Path(temporary)
            repository = new_repository(folder / "git", {"index.html": "x\n", "amplify.yml": STATIC_SPEC})
            for branch in NAMES:
                repository.commit({"name": branch}, branch=branch)
            with form(folder) as it:
                accepted, begun = start_jobs(it, repository.url)
                starts.append((name, median(accepted), median(begun), percentile(begun, 99), min(begun)))
                time.sleep(2)
                idle += [(name, role, *cost) for role, cost in idle_cost(it.pids()).items()]
    table(
        f"StartJob of boto3 with nothing else to do, {JOBS} jobs, ms",
        ("form", "answer p50", "RUNNING p50", "RUNNING p99", "RUNNING min"),
        starts,
    )
    table("Idle processes", ("form", "process", "CPU, % of a core", "memory (PSS), MB"), idle)


def start_jobs(form: Form, repository: str) -> tuple[list[float], list[float]]:
    client = form.client
    app_id = client.create_app(name="bench", repository=repository)["app"]["appId"]
    for name in NAMES:
        client.create_branch(appId=app_id, branchName=name)
    accepted, begun = [], []
    database = open_database(form.settings)
    for number in range(JOBS + len(NAMES)):
        name = NAMES[number % len(NAMES)]
        before = time.time()
        started = client.start_job(appId=app_id, branchName=name, jobType="RELEASE")
        job_id = started["jobSummary"]["jobId"]
        answered = time.time()

        def over(name: str = name, job_id: str = job_id) -> bool:
            found = client.get_job(appId=app_id, branchName=name, jobId=job_id)["job"]["summary"]
            assert found["status"] != "FAILED", found
            return found["status"] in TERMINAL

        until(over, f"job {job_id} of {name}")
        with database.read() as conn:
            started_ms = conn.scalar(
                select(attempts.c.started_ms)
                .join(branches, branches.c.branch_id == attempts.c.branch_id)
                .where(branches.c.name == name, attempts.c.number == int(job_id))
            )
        assert started_ms is not None
        if number >= len(NAMES):  # the first ones warm everything up
            accepted.append((answered - before) * 1000)
            begun.append(started_ms - before * 1000)
    database.close()
    return accepted, begun


def idle_cost(pids: dict[str, int]) -> dict[str, tuple[float, float]]:
    before = {role: cpu_seconds(pid) for role, pid in pids.items()}
    time.sleep(IDLE_SECONDS)
    return {
        role: ((cpu_seconds(pid) - before[role]) / IDLE_SECONDS * 100, pss_mb(pid))
        for role, pid in pids.items()
    }


def children(preamp: Preamp) -> dict[str, int]:
    """By role; more of one role are numbered."""
    return {
        f"{role} {number}" if number > 1 else role.value: pid
        for role in Role
        for number, pid in enumerate(processes_of(preamp, role), 1)
    }


if __name__ == "__main__":
    main()
