"""Each process restarted while jobs are started and pages fetched: nobody is refused, nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import select

from preamp.store.database import open_sqlite
from preamp.store.tables import attempts, jobs
from tests.acceptance.test_crash import finished, jobs_of, served
from tests.support.preamp import Preamp, fetch, running, until
from tests.support.processes import processes_of, send
from tests.support.repositories import STATIC_SPEC, new_repository

pytestmark = [pytest.mark.needs("git", "bwrap"), pytest.mark.timeout(200)]

BRANCHES = 4
ROUNDS = int(os.environ.get("PREAMP_TEST_ROUNDS", "1"))
PAUSE_SECONDS = 0.005
SPEC = STATIC_SPEC.replace("cp index.html dist/", "sleep 0.2 && echo $AWS_JOB_ID > dist/index.html")


def test_restarting_one_process_after_the_other_refuses_and_loses_nothing(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "git", {"amplify.yml": SPEC})
    with running(tmp_path / "data", "--worker-slots", "4") as preamp:
        # What every client of Amplify does: a request that found its kept connection closed is sent again.
        client = preamp.client(retries={"total_max_attempts": 3, "mode": "standard"})
        app_id = client.create_app(name="rolling", repository=repository.url)["app"]["appId"]
        names = [f"b{number}" for number in range(BRANCHES)]
        for name in names:
            repository.commit({"name": name}, branch=name)
            client.create_branch(appId=app_id, branchName=name)
            client.start_job(appId=app_id, branchName=name, jobType="RELEASE")
        until(lambda: all(finished(client, app_id, name) for name in names), "the first jobs")

        load = Load()
        page = f"b0.{app_id}.{preamp.address()['site_domain']}"
        with ThreadPoolExecutor() as pool:
            tasks = [
                *(
                    pool.submit(load.repeat, "job", lambda name=name: start(client, app_id, name))
                    for name in names
                ),
                *(pool.submit(load.repeat, "page", lambda: get(preamp.edge, page, "/")) for _ in range(3)),
                *(
                    pool.submit(load.repeat, "health", lambda: get(preamp.control, "x", "/_preamp/health"))
                    for _ in range(2)
                ),
            ]
            try:
                for _ in range(ROUNDS):
                    for role in ("control", "worker", "edge"):
                        restart(preamp, role)
                        load.wait_for_more()
            finally:
                load.over.set()
            for task in tasks:
                task.result()

        until(lambda: all(finished(client, app_id, name) for name in names), "the jobs to end")
        with (
            closing(open_sqlite(preamp.data / "preamp.db", read_only=True)) as database,
            database.read() as conn,
        ):
            states = Counter(conn.scalars(select(jobs.c.state)))
            outcomes = Counter(conn.scalars(select(attempts.c.outcome)))
        print(f"{dict(load.done)}; states {dict(states)}; attempts {dict(outcomes)}")
        assert states == {"SUCCEED": load.done["job"] + BRANCHES}
        assert set(outcomes) <= {"FINISHED", "HANDED_BACK"}
        newest = {name: max(int(job["jobId"]) for job in jobs_of(client, app_id, name)) for name in names}
        assert {name: served(preamp, app_id, name) for name in names} == newest


class Load:
    """Requests without end, each of which has to be answered."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def repeat(self, kind: str, request: Callable[[], bool]) -> None:
        """`request` says whether it counts; what it raises ends the test."""
        try:
            while not self.over.wait(PAUSE_SECONDS):
                counts = request()
                with self._lock:
                    self.done[kind] += counts
        except BaseException:
            self.over.set()
            raise

    def wait_for_more(self) -> None:
        """Until there was more of everything."""
        before = self.done.copy()
        until(
            lambda: self.over.is_set() or all(self.done[kind] > before[kind] for kind in before),
            "jobs, pages and answers after a restart",
        )


def start(client: Any, app_id: str, name: str) -> bool:
    """False: the job before it is not over."""
    try:
        client.start_job(appId=app_id, branchName=name, jobType="RELEASE")
    except ClientError as error:
        if error.response["Error"]["Code"] == "LimitExceededException":
            return False
        raise
    return True


def get(netloc: str, host: str, path: str) -> bool:
    """On a connection of its own."""
    status, body = fetch(netloc, host, path)
    assert status == 200, body
    return True


def restart(preamp: Preamp, role: str) -> None:
    for pid in processes_of(preamp, role):
        count = len(processes_of(preamp, role))
        send([pid], signal.SIGTERM)

        def again(pid: int = pid, count: int = count) -> bool:
            found = processes_of(preamp, role)
            return pid not in found and len(found) == count

        until(again, f"{role} to be started again")
