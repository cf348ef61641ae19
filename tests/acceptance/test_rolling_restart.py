"""Each process restarted while jobs are started and pages fetched: nobody is refused, nothing is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from preamp.store.database import open_sqlite
from preamp.store.tables import attempts, jobs
from tests.acceptance.test_crash import finished, jobs_of, served
from tests.support.load import get, load, start_job
from tests.support.preamp import Preamp, running, until
from tests.support.processes import processes_of, send
from tests.support.repositories import STATIC_SPEC, new_repository

pytestmark = [pytest.mark.needs("git", "bwrap"), pytest.mark.timeout(200)]

BRANCHES = 4
ROUNDS = int(os.environ.get("PREAMP_TEST_ROUNDS", "1"))
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
            start_job(client, app_id, name)
        until(lambda: all(finished(client, app_id, name) for name in names), "the first jobs")

        page = f"b0.{app_id}.{preamp.address()['site_domain']}"
        requests: list[tuple[str, Callable[[], bool]]] = [
            *(("job", partial(start_job, client, app_id, name)) for name in names),
            *[("page", partial(get, preamp.edge, page, "/"))] * 3,
            *[("health", partial(get, preamp.control, "x", "/_preamp/health"))] * 2,
        ]
        with load(requests) as under_load:
            for _ in range(ROUNDS):
                for role in ("control", "worker", "edge"):
                    restart(preamp, role)
                    under_load.wait_for_more()

        until(lambda: all(finished(client, app_id, name) for name in names), "the jobs to end")
        with (
            closing(open_sqlite(preamp.data / "preamp.db", read_only=True)) as database,
            database.read() as conn,
        ):
            states = Counter(conn.scalars(select(jobs.c.state)))
            outcomes = Counter(conn.scalars(select(attempts.c.outcome)))
        print(f"{dict(under_load.done)}; states {dict(states)}; attempts {dict(outcomes)}")
        assert states == {"SUCCEED": under_load.done["job"] + BRANCHES}
        assert set(outcomes) <= {"FINISHED", "HANDED_BACK"}
        newest = {name: max(int(job["jobId"]) for job in jobs_of(client, app_id, name)) for name in names}
        assert {name: served(preamp, app_id, name) for name in names} == newest


def restart(preamp: Preamp, role: str) -> None:
    for pid in processes_of(preamp, role):
        count = len(processes_of(preamp, role))
        send([pid], signal.SIGTERM)

        def again(pid: int = pid, count: int = count) -> bool:
            found = processes_of(preamp, role)
            return pid not in found and len(found) == count

        until(again, f"{role} to be started again")
