"""A job that does almost nothing, end to end: what Preamp itself costs.

The yardstick does the same work by hand: clone, one bash with the commands, copy the output. Runs of both
alternate, so that they see the same machine.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import median, need, percentile, table
from tests.support.preamp import TERMINAL, Preamp, running
from tests.support.repositories import STATIC_SPEC, Repository, new_repository

ROUNDS = 15
BRANCHES = 10
POLL_SECONDS = 0.002


def main() -> None:
    need("git")
    with tempfile.TemporaryDirectory(prefix="preamp-bench-") as temporary:
        folder = Path(temporary)
        repository = new_repository(folder, {"index.html": "hello\n", "amplify.yml": STATIC_SPEC})
        with running(folder / "data") as preamp:
            one_after_the_other(preamp, repository, folder)
            at_once(preamp, repository)


def one_after_the_other(preamp: Preamp, repository: Repository, folder: Path) -> None:
    client = preamp.client()
    app_id = client.create_app(name="bench", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    job(client, app_id, "main")  # the mirror is cloned by the first one
    ours, by_hand, accepted = [], [], []
    for number in range(ROUNDS):
        by_hand.append(bare(repository, folder / f"bare-{number}"))
        took, answer = job(client, app_id, "main")
        ours.append(took)
        accepted.append(answer)
    table(
        f"No-op job, ms, {ROUNDS} alternating rounds",
        ("", "p50", "p90", "min"),
        [
            ("StartJob until SUCCEED", *milliseconds(ours)),
            ("of it StartJob itself", *milliseconds(accepted)),
            ("git clone, bash, cp by hand", *milliseconds(by_hand)),
            (
                "ratio",
                median(ours) / median(by_hand),
                percentile(ours, 90) / percentile(by_hand, 90),
                min(ours) / min(by_hand),
            ),
        ],
    )


def at_once(preamp: Preamp, repository: Repository) -> None:
    client = preamp.client()
    app_id = client.create_app(name="many", repository=repository.url)["app"]["appId"]
    names = [f"b{number}" for number in range(BRANCHES)]
    for name in names:
        repository.commit({"index.html": f"{name}\n"}, branch=name)
        client.create_branch(appId=app_id, branchName=name)
    began = time.perf_counter()
    for name in names:
        client.start_job(appId=app_id, branchName=name, jobType="RELEASE")
    for name in names:
        until_over(client, app_id, name, "1")
    took = time.perf_counter() - began
    table(
        f"No-op jobs on {BRANCHES} branches at once (5 may run)",
        ("", "s", "jobs/s"),
        [("all", took, BRANCHES / took)],
    )


def job(client: Any, app_id: str, branch: str, *, every: float = POLL_SECONDS) -> tuple[float, float]:
    """Seconds from the call of StartJob until SUCCEED is seen, and until StartJob had answered.

    every: seconds between two looks. To look all the time takes more than one processor.
    """
    began = time.perf_counter()
    started = client.start_job(appId=app_id, branchName=branch, jobType="RELEASE")["jobSummary"]["jobId"]
    answered = time.perf_counter() - began
    until_over(client, app_id, branch, started, every=every)
    return time.perf_counter() - began, answered


def until_over(client: Any, app_id: str, branch: str, job_id: str, *, every: float = POLL_SECONDS) -> None:
    while True:
        found = client.get_job(appId=app_id, branchName=branch, jobId=job_id)["job"]
        if found["summary"]["status"] in TERMINAL:
            assert found["summary"]["status"] == "SUCCEED", found
            return
        time.sleep(every)


def bare(repository: Repository, folder: Path) -> float:
    """Seconds of the same work without Preamp."""
    began = time.perf_counter()
    subprocess.run(["git", "clone", "-q", repository.bare, folder], check=True)
    script = "set -e; mkdir -p dist; cp index.html dist/"
    subprocess.run(["bash", "-c", script], cwd=folder, check=True)
    shutil.copytree(folder / "dist", folder.with_suffix(".live"))
    return time.perf_counter() - began


def milliseconds(seconds: list[float]) -> tuple[float, float, float]:
    return median(seconds) * 1000, percentile(seconds, 90) * 1000, min(seconds) * 1000


if __name__ == "__main__":
    main()
