"""The schedule of faults of the cluster, on one machine: processes killed, frozen and restarted, and a clock
that jumps by days. Nothing acknowledged is lost, nothing runs twice at once, nothing goes back.

The schedule comes from a seed, which is printed: PREAMP_TEST_SEED repeats it. `make cluster-test` has what
needs several machines.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import select

from preamp.store.database import open_sqlite
from preamp.store.tables import attempts, branches, jobs
from tests.acceptance.test_crash import Watcher, alive, served
from tests.support.faults import FaultThread
from tests.support.preamp import TERMINAL, Preamp, until
from tests.support.processes import having, processes_of, send
from tests.support.repositories import new_repository
from tests.support.wall_clock import WallClock

pytestmark = [pytest.mark.needs("git", "bwrap"), pytest.mark.timeout(300)]

JOBS = int(os.environ.get("PREAMP_TEST_JOBS", "30"))
BRANCHES = 6
LINES = 4
DAY = 24 * 3600
NAP = "0.0577215"
"""Seconds; how a process of a build is known in the process table."""
SPEC = f"""\
frontend:
  phases:
    build:
      commands:
        - mkdir dist
        - echo "began $(cut -d' ' -f1 /proc/uptime)"
        - for i in $(seq {LINES}); do echo "line $i of $AWS_JOB_ID"; sleep {NAP}; done
        - echo "ended $(cut -d' ' -f1 /proc/uptime)"
        - echo $AWS_JOB_ID > dist/index.html
  artifacts:
    baseDirectory: dist
    files: ['**/*']
"""


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path / "clock")


@pytest.fixture
def preamp(tmp_path: Path, clock: WallClock) -> Iterator[Preamp]:
    # Signatures are not looked at: the clock of these clients does not jump along.
    flags = ("--worker-slots", "4", "--auth", "any", "--drain-seconds", "1")
    it = Preamp(data=tmp_path / "data", flags=flags, environment=clock.environment())
    it.start()
    yield it
    if alive(it):
        it.stop()


def test_every_acknowledged_job_ends_once_and_in_order_whatever_fails(
    preamp: Preamp, clock: WallClock, tmp_path: Path
) -> None:
    seed = int(os.environ.get("PREAMP_TEST_SEED") or random.SystemRandom().randrange(1, 1 << 30))
    print(f"\nseed {seed}: repeat with PREAMP_TEST_SEED={seed}", flush=True)
    run = Run.begin(preamp, clock, tmp_path)
    faults = Faults(preamp, clock, random.Random(seed))
    over = threading.Event()
    watcher = Watcher(preamp, run.app_id, run.names, over)
    faults.start()
    watcher.start()
    try:
        with ThreadPoolExecutor(BRANCHES) as pool:
            list(pool.map(lambda name: run.push(name, faults), run.names))
    finally:
        faults.over.set()
        faults.join()
        over.set()
        watcher.join()
    assert faults.trouble == []
    until(lambda: not run.unfinished(), "the jobs to end")
    print(f"{run.count} jobs; faults: {dict(faults.done)}", flush=True)
    assert watcher.went_back == []
    assert watcher.pages > 0
    run.check_jobs()
    run.check_logs()
    assert having(NAP.encode()) == []
    assert preamp.stop() == 0
    assert having(str(preamp.data).encode()) == []
    assert work_folders(preamp, run.app_id) == []


@dataclass
class Run:
    """The jobs of one test run."""

    preamp: Preamp
    client: Any
    app_id: str
    names: list[str]
    acknowledged: dict[str, list[int]]
    lock: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0

    @classmethod
    def begin(cls, preamp: Preamp, clock: WallClock, folder: Path) -> Run:
        repository = new_repository(folder / "git", {"amplify.yml": SPEC})
        client = preamp.client(read_timeout=30)
        clock.set(40 * DAY)
        app = client.create_app(name="schedule", repository=repository.url)["app"]
        assert app["createTime"].timestamp() > time.time() + 39 * DAY, "the clock cannot be set"
        clock.set(0)
        app_id = app["appId"]
        names = [f"b{number}" for number in range(BRANCHES)]
        for name in names:
            repository.commit({"name": name}, branch=name)
            client.create_branch(appId=app_id, branchName=name)
        return cls(preamp, client, app_id, names, {name: [] for name in names})

    def push(self, name: str, faults: Faults) -> None:
        """Start jobs of a branch one after the other, until all have enough and each fault has come once."""
        deadline = time.monotonic() + 200
        while self.count < JOBS or not faults.round_done.is_set():
            assert time.monotonic() < deadline, f"only {self.count} jobs were accepted"
            try:
                started = self.client.start_job(appId=self.app_id, branchName=name, jobType="RELEASE")
            except (ClientError, BotoCoreError):
                # An unfinished job of this branch, or control was away: that was no acknowledgement.
                time.sleep(0.1)
                continue
            if "jobSummary" not in started:
                continue  # to botocore a head whose body was cut by a kill is an answer without members
            with self.lock:
                self.acknowledged[name].append(int(started["jobSummary"]["jobId"]))
                self.count += 1

    def select(self, query: Any) -> list[Any]:
        with (
            closing(open_sqlite(self.preamp.data / "preamp.db", read_only=True)) as database,
            database.read() as conn,
        ):
            return list(conn.execute(query))

    def rows(self) -> list[Any]:
        return self.select(select(jobs, branches.c.name).join(branches).order_by(jobs.c.number))

    def unfinished(self) -> list[Any]:
        return [row for row in self.rows() if row.state not in TERMINAL]

    def check_jobs(self) -> None:
        """Acknowledged jobs are there and over, once each; what is served is the newest success."""
        rows = self.rows()
        found = {(row.name, row.number) for row in rows}
        wanted = {(name, number) for name, numbers in self.acknowledged.items() for number in numbers}
        assert wanted <= found, f"acknowledged jobs are gone: {sorted(wanted - found)}"
        assert len(wanted) == self.count, "a number was given out twice"
        states = Counter(row.state for row in rows)
        print(f"states {dict(states)}", flush=True)
        for row in rows:
            if row.state == "FAILED":
                print(f"failed: {row.name} {row.number}: {row.status_reason}", flush=True)
        assert set(states) <= {"SUCCEED", "FAILED"}
        assert states["SUCCEED"] > 0.9 * states.total()
        finished = [
            (try_.branch_id, try_.number, try_.attempt)
            for try_ in self.select(select(attempts))
            if try_.outcome == "FINISHED"
        ]
        succeeded = [row for row in rows if row.state == "SUCCEED"]
        assert sorted(key for key in finished if key[:2] in {(r.branch_id, r.number) for r in succeeded}) == [
            (row.branch_id, row.number, row.attempt)
            for row in sorted(succeeded, key=lambda row: (row.branch_id, row.number))
        ]
        newest = {row.name: row.number for row in succeeded}
        active = dict(
            tuple(row)
            for row in self.select(select(branches.c.name, branches.c.active_job))
            if row.active_job is not None
        )
        assert active == newest
        assert {name: served(self.preamp, self.app_id, name) for name in newest} == newest

    def check_logs(self) -> None:
        """Each successful job's log has every line once, and it ran after the one before it by a clock that
        nobody sets."""
        ran: dict[str, list[tuple[float, float]]] = {}
        for row in self.rows():
            if row.state == "SUCCEED":
                text = self.log_of(row.name, row.number)
                lines = re.findall(r"\bline (\d+) of (\d+)$", text, re.MULTILINE)
                assert lines == [(str(n + 1), f"{row.number:010d}") for n in range(LINES)], text
                began, ended = (
                    float(moment)
                    for word in ("began", "ended")
                    for moment in re.findall(rf"\b{word} ([\d.]+)$", text, re.MULTILINE)
                )
                ran.setdefault(row.name, []).append((began, ended))
        for name, times in ran.items():
            for (_, ended), (began, _) in pairwise(times):
                assert ended <= began, f"{name}: builds overlap or changed places: {times}"

    def log_of(self, name: str, number: int) -> str:
        job = self.client.get_job(appId=self.app_id, branchName=name, jobId=str(number))["job"]
        assert [step["stepName"] for step in job["steps"]] == ["BUILD", "DEPLOY", "VERIFY"]
        with urlopen(job["steps"][0]["logUrl"], timeout=30) as answer:
            return str(answer.read().decode())


class Faults(FaultThread):
    def __init__(self, preamp: Preamp, clock: WallClock, chance: random.Random) -> None:
        super().__init__(chance, pause_seconds=(0.1, 0.8))
        self.preamp, self.clock = preamp, clock

    def kinds(self) -> list[Callable[[], None]]:
        return [
            *(self.of("worker", fault) for fault in (self.killed, self.killed, self.frozen)),
            *(self.of("control", fault) for fault in (self.killed, self.frozen)),
            *(self.of("edge", fault) for fault in (self.killed, self.frozen)),
            self.parent_killed,
            self.rolling_restart,
            self.clock_ahead,
            self.clock_behind,
            self.clock_jumps_while_the_worker_is_frozen,
        ]

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.clock.set(0)

    def of(self, role: str, fault: Callable[[str], None]) -> Callable[[], None]:
        def happen() -> None:
            fault(role)

        happen.__name__ = f"{role}_{fault.__name__}"
        return happen

    def killed(self, role: str) -> None:
        send(processes_of(self.preamp, role), signal.SIGKILL)

    def frozen(self, role: str) -> None:
        found = processes_of(self.preamp, role)
        send(found, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.5, 2))
        send(found, signal.SIGCONT)

    def parent_killed(self) -> None:
        self.preamp.kill()
        self.preamp.start()

    def rolling_restart(self) -> None:
        """SIGTERM to each process, one after the other."""
        for role in ("control", "worker", "edge"):
            send(processes_of(self.preamp, role), signal.SIGTERM)
            time.sleep(0.5)

    def clock_ahead(self) -> None:
        self.jump(self.chance.choice([10, 3600, 9 * 3600, 40 * DAY]))

    def clock_behind(self) -> None:
        self.jump(-self.chance.choice([10, 3600, 9 * 3600, 40 * DAY]))

    def clock_jumps_while_the_worker_is_frozen(self) -> None:
        found = processes_of(self.preamp, "worker")
        send(found, signal.SIGSTOP)
        self.jump(self.chance.choice([-DAY, DAY]))
        send(found, signal.SIGCONT)

    def jump(self, seconds: int) -> None:
        """It stays wrong until the next jump, which may go the other way."""
        self.clock.set(seconds)
        time.sleep(self.chance.uniform(0, 1))


def work_folders(preamp: Preamp, app_id: str) -> list[Path]:
    """Of builds and deployments, in memory and on the disk."""
    shared = [
        found
        for parent in ("/dev/shm", "/var/tmp")
        for found in Path(parent).glob(f"preamp-{os.geteuid()}/preamp-build-{app_id}-*")
    ]
    return [*shared, *(preamp.data / "workspaces").glob("*")]
