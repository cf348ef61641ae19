"""What only shows on several machines: access logs of all edges, and a worker that was frozen and is back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from preamp.store.access_logs import HEADER
from tests.support.cluster import Cluster, Member, running_cluster
from tests.support.preamp import until
from tests.support.processes import command_lines, parent_of
from tests.support.repositories import STATIC_SPEC, Repository, new_repository

pytestmark = [
    pytest.mark.needs("git", "bwrap", "postgres", "initdb", "setpriv"),
    pytest.mark.timeout(180),
]

SLEEP = b"3571.25"
"""What the slow build does for so long; its processes are known by it."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(
        folder, controls=1, workers=2, edges=2, lease_seconds=4, namespaces=False
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Any:
    return cluster.client(cluster.of_role("control")[0], cluster.administrator())


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = new_repository(tmp_path_factory.mktemp("git"), {"amplify.yml": STATIC_SPEC})
    repository.commit({"index.html": "hello"}, branch="main")
    slow = STATIC_SPEC.replace("cp index.html dist/", f"sleep {SLEEP.decode()}")
    repository.commit({"index.html": "hello", "amplify.yml": slow}, branch="slow")
    return repository


def test_access_logs_have_the_lines_of_all_edges(
    cluster: Cluster, client: Any, repository: Repository
) -> None:
    app_id = client.create_app(name="site", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="main")
    client.start_job(appId=app_id, branchName="main", jobType="RELEASE")
    for edge in cluster.of_role("edge"):
        until(lambda edge=edge: cluster.page(edge, app_id, "main")[0] == 200, f"a page of {edge.name}")

    def lines() -> list[str]:
        url = client.generate_access_logs(appId=app_id, domainName=f"{app_id}.localhost")["logUrl"]
        with urlopen(url) as answer:
            text = answer.read()
        assert text.startswith(HEADER)
        return [line for line in text[len(HEADER) :].decode().splitlines() if line.split(",")[8] == "200"]

    until(lambda: len(lines()) == 2, "the lines of both edges")
    # What it had not shipped when it was told to end.
    edge = cluster.of_role("edge")[0]
    cluster.page(edge, app_id, "main")
    restart(edge)
    until(lambda: len(lines()) == 3, "the last line of an edge that was restarted")


def test_a_worker_that_was_frozen_ends_its_builds_when_it_is_back(
    cluster: Cluster, client: Any, repository: Repository
) -> None:
    app_id = client.create_app(name="slow", repository=repository.url)["app"]["appId"]
    client.create_branch(appId=app_id, branchName="slow")
    started = client.start_job(appId=app_id, branchName="slow", jobType="RELEASE")
    until(lambda: len(sleeping()) == 1, "the build")
    ((first, worker),) = sleeping().items()
    frozen = next(member for member in cluster.of_role("worker") if member.process.pid == worker)
    frozen.signal(signal.SIGSTOP)
    try:
        until(lambda: len(sleeping()) == 2, "the same job on the other worker")
        (second,) = sleeping().keys() - {first}
    finally:
        frozen.signal(signal.SIGCONT)
    back = time.monotonic()
    until(lambda: set(sleeping()) == {second}, "the frozen worker's build to be dead", seconds=10)
    print(f"dead {time.monotonic() - back:.2f} s after the worker was back")
    assert frozen.process is not None
    assert frozen.process.poll() is None  # the worker itself goes on
    job_id = started["jobSummary"]["jobId"]
    assert (
        client.get_job(appId=app_id, branchName="slow", jobId=job_id)["job"]["summary"]["status"] == "RUNNING"
    )
    client.stop_job(appId=app_id, branchName="slow", jobId=job_id)
    until(lambda: sleeping() == {}, "the successor's build to be stopped")


def restart(member: Member) -> None:
    before = member.log().count(" is ready")
    member.signal(signal.SIGTERM)
    until(lambda: member.log().count(" is ready") > before, f"{member.name} to be started again")


def sleeping() -> dict[int, int]:
    """The slow builds' processes, each with the worker that it descends from."""
    processes = dict(command_lines())
    found = {}
    for pid, words in processes.items():
        if words == [b"sleep", SLEEP]:
            above = parent_of(pid)
            while above and b"worker" not in processes.get(above, []):
                above = parent_of(above)
            if above:
                found[pid] = above
    return found
