"""kill -9 of any process at any moment: nothing that was acknowledged is lost, nothing runs twice at once,
nothing goes back."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.preamp import TERMINAL, Preamp, fetch, until
from tests.support.processes import having, processes_of, send
from tests.support.repositories import new_repository

pytestmark = [pytest.mark.needs("git", "bwrap"), pytest.mark.timeout(400)]

BRANCHES = 10
JOBS_PER_BRANCH = 10
NAP = "0.2718281"
"""Seconds; how a process of a build is known in the process table."""
SPEC = f"""\
frontend:
  phases:
    build:
      commands:
        - mkdir dist
        - setsid sleep {NAP} & sleep {NAP}
        - echo $AWS_JOB_ID > dist/index.html
  artifacts:
    baseDirectory: dist
    files: ['**/*']
"""
ROLES = ("control", "worker", "edge", "parent")


@pytest.fixture
def preamp(tmp_path: Path) -> Iterator[Preamp]:
    it = Preamp(data=tmp_path / "data", flags=("--worker-slots", "5"))
    it.start()
    yield it
    if alive(it):
        it.stop()


def test_every_acknowledged_job_ends_once_and_in_order_whatever_is_killed(
    preamp: Preamp, tmp_path: Path
) -> None:
    seed = int(os.environ.get("PREAMP_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
    print(f"seed {seed}: repeat with PREAMP_TEST_SEED={seed}")
    repository = new_repository(tmp_path / "git", {"amplify.yml": SPEC})
    client = preamp.client()
    app_id = client.create_app(name="crash", repository=repository.url)["app"]["appId"]
    names = [f"b{number}" for number in range(BRANCHES)]
    for name in names:
        repository.commit({"name": name}, branch=name)
        client.create_branch(appId=app_id, branchName=name)

    over = threading.Event()
    watcher = Watcher(preamp, app_id, names, over)
    killer = threading.Thread(target=kill_at_random, args=(preamp, random.Random(seed), over))
    watcher.start()
    killer.start()
    try:
        with ThreadPoolExecutor(BRANCHES) as pool:
            acknowledged = list(pool.map(lambda name: push_all(client, app_id, name), names))
    finally:
        over.set()
        killer.join()
        watcher.join()
    if not alive(preamp):
        preamp.start()

    for name, numbers in zip(names, acknowledged, strict=True):
        until(lambda name=name: finished(client, app_id, name), f"the jobs of {name}")  # type: ignore[misc]
        jobs = {job["jobId"]: job for job in jobs_of(client, app_id, name)}
        assert set(numbers) <= set(jobs), "an acknowledged job is gone"
        assert len(numbers) == JOBS_PER_BRANCH
        for job in jobs.values():
            assert job["status"] in {"SUCCEED", "FAILED"}, job
        check_order(client, app_id, name, sorted(jobs, key=int))
        newest = max((int(key) for key, job in jobs.items() if job["status"] == "SUCCEED"), default=0)
        assert served(preamp, app_id, name) == newest
    assert watcher.went_back == []
    assert watcher.pages > 0
    preamp.stop()
    assert left_over(preamp) == []


def push_all(client: Any, app_id: str, name: str) -> list[str]:
    """Start the branch's jobs one after the other, as a script would; the ids that were acknowledged."""
    numbers: list[str] = []
    deadline = time.monotonic() + 240
    while len(numbers) < JOBS_PER_BRANCH:
        assert time.monotonic() < deadline, f"{name} got only {len(numbers)} jobs through"
        try:
            started = client.start_job(appId=app_id, branchName=name, jobType="RELEASE")
            # A head whose body was cut by a kill is an answer without members to botocore.
            if "jobSummary" in started:
                numbers.append(started["jobSummary"]["jobId"])
        except (ClientError, BotoCoreError):
            # Unfinished job of this branch, or control was just killed: ask again.
            time.sleep(0.05)
    return numbers


def kill_at_random(preamp: Preamp, chance: random.Random, over: threading.Event) -> None:
    while not over.wait(chance.uniform(0.2, 1.5)):
        role = chance.choice(ROLES)
        if role == "parent":
            preamp.kill()
            preamp.start()
            continue
        send(processes_of(preamp, role), signal.SIGKILL)


class Watcher(threading.Thread):
    """Looks at the pages all the time: job numbers on them may only grow."""

    def __init__(self, preamp: Preamp, app_id: str, names: list[str], over: threading.Event) -> None:
        super().__init__()
        self.preamp, self.app_id, self.names, self.over = preamp, app_id, names, over
        self.seen: dict[str, int] = {}
        self.went_back: list[tuple[str, int, int]] = []
        self.pages = 0

    def run(self) -> None:
        while not self.over.wait(0.02):
            for name in self.names:
                try:
                    number = served(self.preamp, self.app_id, name)
                except (OSError, ValueError):
                    continue  # killed at this moment, or not deployed yet
                before = self.seen.get(name, 0)
                if number < before:
                    self.went_back.append((name, before, number))
                self.seen[name] = number
                self.pages += 1


def served(preamp: Preamp, app_id: str, name: str) -> int:
    """The job number on the page; 0 before the first release."""

    site_domain = f"localhost:{preamp.edge.rpartition(':')[2]}"
    status, page = fetch(preamp.edge, f"{name}.{app_id}.{site_domain}", "/")
    if status != 200:
        raise ValueError(f"{name} answers {status}")
    return int(page) if page.strip().isdigit() else 0


def jobs_of(client: Any, app_id: str, name: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("list_jobs").paginate(appId=app_id, branchName=name)
    return [job for page in pages for job in page["jobSummaries"]]


def finished(client: Any, app_id: str, name: str) -> bool:
    return all(job["status"] in TERMINAL for job in jobs_of(client, app_id, name))


def check_order(client: Any, app_id: str, name: str, numbers: list[str]) -> None:
    """Each job's steps lie behind the end of the job before it."""
    previous_end = None
    for number in numbers:
        job = client.get_job(appId=app_id, branchName=name, jobId=number)["job"]
        # A job whose workers all died before its first step has none, and is FAILED.
        assert job["steps"] or job["summary"]["status"] == "FAILED", job
        if previous_end is not None and job["steps"]:
            assert job["steps"][0]["startTime"] >= previous_end, f"{name} {number} overlaps"
        previous_end = job["summary"]["endTime"]


def alive(preamp: Preamp) -> bool:
    return preamp.process is not None and preamp.process.poll() is None


def left_over(preamp: Preamp) -> list[list[bytes]]:
    return having(NAP.encode(), str(preamp.data).encode())
