"""Many machines under faults: nothing acknowledged is lost, nothing runs twice at once, nothing goes back.

`make cluster-test` runs it with a thousand jobs on fifty branches; the ordinary tests run the same with
fewer. The schedule of faults comes from a seed, which is printed: PREAMP_TEST_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import obstore
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import select

from preamp.store.objects import open_objects
from preamp.store.tables import attempts, branches, jobs
from tests.support.cluster import Cluster, Member, running_cluster
from tests.support.faults import FaultThread
from tests.support.preamp import TERMINAL, until
from tests.support.processes import having
from tests.support.repositories import new_repository

JOBS = int(os.environ.get("PREAMP_TEST_JOBS", "60"))
BRANCHES = int(os.environ.get("PREAMP_TEST_BRANCHES", str(min(50, max(8, JOBS // 6)))))
CLIENTS = 8
LINES = 5
NAP = "0.0314159"
"""Seconds; how a process of a build is known in the process table."""
SPEC = f"""\
frontend:
  phases:
    build:
      commands:
        - mkdir dist
        - for i in $(seq {LINES}); do echo "line $i of $AWS_JOB_ID"; sleep {NAP}; done
        - echo $AWS_JOB_ID > dist/index.html
  artifacts:
    baseDirectory: dist
    files: ['**/*']
"""
pytestmark = [
    pytest.mark.needs("git", "bwrap", "postgres", "initdb", "setpriv"),
    pytest.mark.timeout(300 + JOBS * 2),
]


def test_every_acknowledged_job_ends_once_and_in_order_whatever_fails(tmp_path: Path) -> None:
    seed = int(os.environ.get("PREAMP_TEST_SEED") or random.SystemRandom().randrange(1, 1 << 30))
    print(f"\nseed {seed}: repeat with PREAMP_TEST_SEED={seed}", flush=True)
    with running_cluster(
        tmp_path, controls=2, workers=3, edges=2, lease_seconds=6, slots=4, concurrent_jobs=12
    ) as cluster:
        run = Run.begin(cluster, tmp_path)
        faults = Faults(cluster, random.Random(seed))
        watchers = [Watcher(cluster, edge, run) for edge in cluster.of_role("edge")]
        for thread in (faults, *watchers):
            thread.start()
        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(run.push, number, faults) for number in range(CLIENTS)]
            for client in clients:
                client.result()
        faults.over.set()
        faults.join()
        cluster.wait_until_ready()
        print(f"{run.count} jobs acknowledged in {time.monotonic() - began:.0f} s", flush=True)
        until(lambda: not run.unfinished(), "the jobs to end", seconds=180)
        print(f"all over after {time.monotonic() - began:.0f} s; faults: {dict(faults.done)}", flush=True)
        until(run.converged, "the edges to serve the newest releases", seconds=60)
        for watcher in watchers:
            watcher.over.set()
            watcher.join()
            assert watcher.went_back == []
            assert watcher.pages > 0
        assert faults.trouble == []
        run.check_jobs()
        run.check_logs()
        assert left_over(tmp_path, running=True) == []
        states = run.states()
        for row in run.rows():
            if row.state == "FAILED":
                print(f"failed: {row.name} {row.number}: {row.status_reason}", flush=True)
    until(lambda: left_over(tmp_path, running=False) == [], "every process to be gone", seconds=10)
    print(f"states {dict(states)}; attempts by outcome {dict(run.outcomes)}", flush=True)
    assert states["SUCCEED"] > 0.9 * states.total()


@dataclass
class Run:
    """The jobs of one test run."""

    cluster: Cluster
    app_id: str
    names: list[str]
    controls: list[Any]
    acknowledged: dict[str, list[int]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0

    @classmethod
    def begin(cls, cluster: Cluster, folder: Path) -> Run:
        key = cluster.administrator()
        controls = [cluster.client(control, key) for control in cluster.of_role("control")]
        repository = new_repository(folder / "git", {"amplify.yml": SPEC})
        app_id = controls[0].create_app(name="cluster", repository=repository.url)["app"]["appId"]
        names = [f"b{number}" for number in range(BRANCHES)]
        for name in names:
            repository.commit({"name": name}, branch=name)
            controls[1].create_branch(appId=app_id, branchName=name)
        return cls(cluster, app_id, names, controls, {name: [] for name in names})

    def push(self, client: int, faults: Faults) -> None:
        """Start jobs on this client's branches, one after the other on each, until all clients together have
        enough and every kind of fault has come once."""
        chance = random.Random(client)
        mine = self.names[client::CLIENTS]
        deadline = time.monotonic() + 240 + JOBS
        while self.count < JOBS or not faults.round_done.is_set():
            assert not faults.trouble, faults.trouble
            assert time.monotonic() < deadline, f"only {self.count} jobs were accepted"
            name = chance.choice(mine)
            try:
                started = chance.choice(self.controls).start_job(
                    appId=self.app_id, branchName=name, jobType="RELEASE"
                )
            except (ClientError, BotoCoreError):
                # An unfinished job of this branch, or something was away: that was no acknowledgement.
                time.sleep(0.1)
                continue
            if "jobSummary" not in started:
                continue  # to botocore a head whose body was cut by a kill is an answer without members
            with self.lock:
                self.acknowledged[name].append(int(started["jobSummary"]["jobId"]))
                self.count += 1
            if self.count >= JOBS:
                time.sleep(0.5)

    def rows(self) -> list[Any]:
        with self.cluster.database() as database, database.read() as conn:
            return list(conn.execute(select(jobs, branches.c.name).join(branches).order_by(jobs.c.number)))

    def unfinished(self) -> list[Any]:
        return [row for row in self.rows() if row.state not in TERMINAL]

    def states(self) -> Counter[str]:
        return Counter(row.state for row in self.rows())

    def newest(self) -> dict[str, int]:
        """The newest successful job of each branch."""
        return {row.name: row.number for row in self.rows() if row.state == "SUCCEED"}

    def converged(self) -> bool:
        wanted = self.newest()
        return all(
            served(self.cluster, edge, self.app_id, name) == number
            for edge in self.cluster.of_role("edge")
            for name, number in wanted.items()
        )

    def check_jobs(self) -> None:
        """Acknowledged jobs are there; each branch ran them in order and one attempt at a time; what is
        served is the newest success."""
        rows = self.rows()
        with self.cluster.database() as database, database.read() as conn:
            tries = list(conn.execute(select(attempts).order_by(attempts.c.number, attempts.c.attempt)))
            active = dict(tuple(row) for row in conn.execute(select(branches.c.name, branches.c.active_job)))
        self.outcomes.update(row.outcome for row in tries)
        found = {(row.name, row.number) for row in rows}
        wanted = {(name, number) for name, numbers in self.acknowledged.items() for number in numbers}
        assert wanted <= found, f"acknowledged jobs are gone: {sorted(wanted - found)}"
        assert len(wanted) == self.count, "a number was given out twice"
        by_branch: dict[int, list[Any]] = {}
        for attempt in tries:
            by_branch.setdefault(attempt.branch_id, []).append(attempt)
        for mine in by_branch.values():
            for before, after in pairwise(mine):
                assert before.ended_ms is not None, before
                assert before.ended_ms <= after.started_ms, f"{before} overlaps {after}"
        for row in rows:
            finished = [
                attempt
                for attempt in by_branch.get(row.branch_id, [])
                if attempt.number == row.number and attempt.outcome == "FINISHED"
            ]
            if row.state == "SUCCEED":
                assert [attempt.attempt for attempt in finished] == [row.attempt], row
        newest = self.newest()
        assert {name: job for name, job in active.items() if job is not None} == newest

    def check_logs(self) -> None:
        """Every successful job's logs are complete, each line once, and put together into one object."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self.check_logs_of, [row for row in self.rows() if row.state == "SUCCEED"]))
        store = open_objects(self.cluster.settings)
        current = {f"logs/{row.branch_id}/{row.number}/{row.attempt}" for row in self.rows()}
        segments = [
            item["path"]
            for batch in obstore.list(store, "logs")
            for item in batch
            if not item["path"].endswith(".txt") and item["path"].rsplit("/", 2)[0] in current
        ]
        assert segments == []

    def check_logs_of(self, row: Any) -> None:
        job = self.controls[0].get_job(appId=self.app_id, branchName=row.name, jobId=str(row.number))["job"]
        assert [step["stepName"] for step in job["steps"]] == ["BUILD", "DEPLOY", "VERIFY"]
        logs = {step["stepName"]: read(step["logUrl"]) for step in job["steps"]}
        lines = re.findall(r"\bline (\d+) of (\d+)$", logs["BUILD"], re.MULTILINE)
        assert lines == [(str(n + 1), f"{row.number:010d}") for n in range(LINES)], logs["BUILD"]
        assert logs["DEPLOY"].count("Deployment finished.") == 1
        assert logs["VERIFY"].count("Every file of the release") == 1


class Faults(FaultThread):
    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        super().__init__(chance, pause_seconds=(0.5, 4))
        self.cluster = cluster

    def kinds(self) -> list[Callable[[], None]]:
        kinds: list[Callable[[], None]] = [
            self.worker_killed,
            self.worker_killed,
            self.worker_frozen,
            self.control_killed,
            self.control_killed,
            self.edge_killed,
            self.postgres_restarted,
            self.postgres_away,
            self.objects_away,
            self.rolling_restart,
        ]
        if self.cluster.network is not None:
            kinds.append(self.network_cut)
        return kinds

    def one(self, role: str) -> Member:
        return self.chance.choice(self.cluster.of_role(role))

    def worker_killed(self) -> None:
        self.one("worker").signal(signal.SIGKILL)

    def worker_frozen(self) -> None:
        """Longer than its lease, now and then: others take its jobs over, and it comes back."""
        worker = self.one("worker")
        worker.signal(signal.SIGSTOP)
        time.sleep(self.chance.choice([2.0, 2.0 * self.cluster.lease_seconds]))
        worker.signal(signal.SIGCONT)

    def control_killed(self) -> None:
        self.one("control").signal(signal.SIGKILL)

    def edge_killed(self) -> None:
        self.one("edge").signal(signal.SIGKILL)

    def postgres_restarted(self) -> None:
        self.cluster.postgres.stop(hard=self.chance.random() < 0.5)
        self.cluster.postgres.start()

    def postgres_away(self) -> None:
        self.cluster.postgres.stop()
        time.sleep(10)
        self.cluster.postgres.start()

    def objects_away(self) -> None:
        self.cluster.swift.refuse()
        time.sleep(10)
        self.cluster.swift.start()

    def rolling_restart(self) -> None:
        """SIGTERM to every process, one after the other."""
        for member in self.cluster.members:
            member.signal(signal.SIGTERM)
            time.sleep(1.5)

    def network_cut(self) -> None:
        network, worker = self.cluster.network, self.one("worker")
        assert network is not None
        assert worker.network is not None
        network.cut(worker.network)
        time.sleep(self.chance.uniform(3, 2.5 * self.cluster.lease_seconds))
        network.mend(worker.network)


class Watcher(threading.Thread):
    """Looks at the pages of one edge all the time: job numbers on them may only grow."""

    def __init__(self, cluster: Cluster, edge: Member, run: Run) -> None:
        super().__init__()
        self.cluster, self.edge, self.test = cluster, edge, run
        self.over = threading.Event()
        self.seen: dict[str, int] = {}
        self.went_back: list[tuple[str, int, int]] = []
        self.pages = 0

    def run(self) -> None:
        while not self.over.wait(0.05):
            for name in self.test.names:
                number = served(self.cluster, self.edge, self.test.app_id, name)
                if number is None:
                    continue
                if number < self.seen.get(name, 0):
                    self.went_back.append((name, self.seen[name], number))
                self.seen[name] = number
                self.pages += 1


def served(cluster: Cluster, edge: Member, app_id: str, name: str) -> int | None:
    """The job number on the page; None while the edge does not answer or before the first release."""
    try:
        status, page = cluster.page(edge, app_id, name)
    except OSError:
        return None
    return int(page) if status == 200 and page.strip().isdigit() else None


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def left_over(folder: Path, *, running: bool) -> list[list[bytes]]:
    """Processes of builds; when the cluster does not run, of anything in its folder."""
    marks = (NAP.encode(),) if running else (NAP.encode(), str(folder).encode())
    return having(*marks)
