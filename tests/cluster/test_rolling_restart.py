"""Many machines, each process restarted while jobs are started and pages fetched: nothing is lost, and
whoever asks the other one of two is answered."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from sqlalchemy import select

from preamp.store.tables import attempts, branches, jobs
from tests.support.cluster import Cluster, Member, running_cluster
from tests.support.load import Load, load, start_job
from tests.support.preamp import TERMINAL, until
from tests.support.repositories import STATIC_SPEC, new_repository

pytestmark = [
    pytest.mark.needs("git", "bwrap", "postgres", "initdb", "setpriv"),
    pytest.mark.timeout(300),
]

BRANCHES = 4
SPEC = STATIC_SPEC.replace("cp index.html dist/", "sleep 0.2 && echo $AWS_JOB_ID > dist/index.html")


def test_restarting_one_process_after_the_other_loses_nothing(tmp_path: Path) -> None:
    with running_cluster(tmp_path, controls=2, workers=2, edges=2, namespaces=False) as cluster:
        clients = Clients(cluster)
        names = [f"b{number}" for number in range(BRANCHES)]
        app_id = first_pages(cluster, clients, tmp_path, names)

        requests: list[tuple[str, Callable[[], bool]]] = [
            *(("job", partial(clients.start, app_id, name)) for name in names),
            *(("page", partial(get_somewhere, cluster, app_id, name)) for name in names[:2]),
        ]
        with load(requests) as under_load:
            for member in cluster.members:
                restart(member)
                under_load.wait_for_more()

        check_nothing_is_lost(cluster, app_id, under_load, names)


def first_pages(cluster: Cluster, clients: Clients, folder: Path, names: list[str]) -> str:
    """The id of an app whose branches are served."""
    client = clients.of(cluster.of_role("control")[0])
    repository = new_repository(folder / "git", {"amplify.yml": SPEC})
    app_id: str = client.create_app(name="site", repository=repository.url)["app"]["appId"]
    for name in names:
        repository.commit({"name": name}, branch=name)
        client.create_branch(appId=app_id, branchName=name)
        clients.start(app_id, name)
    until(lambda: states(cluster) == {"SUCCEED": len(names)}, "the first jobs")
    until(lambda: converged(cluster, app_id), "the first pages")
    return app_id


def check_nothing_is_lost(cluster: Cluster, app_id: str, under_load: Load, names: list[str]) -> None:
    """Every job succeeds, those of `first_pages` among them, and no worker was taken for dead."""
    until(lambda: set(states(cluster)) <= TERMINAL, "the jobs to end")
    until(lambda: converged(cluster, app_id), "the edges to serve the newest releases")
    with cluster.database() as database, database.read() as conn:
        outcomes = Counter(conn.scalars(select(attempts.c.outcome)))
    print(f"{dict(under_load.done)}; states {dict(states(cluster))}; attempts {dict(outcomes)}")
    assert states(cluster) == {"SUCCEED": under_load.done["job"] + len(names)}
    assert set(outcomes) <= {"FINISHED", "HANDED_BACK"}


def restart(member: Member) -> None:
    assert member.log().count(" is ready") == member.starts
    before = member.starts
    member.signal(signal.SIGTERM)
    until(lambda: member.log().count(" is ready") > before, f"{member.name} to be started again")


def get_somewhere(cluster: Cluster, app_id: str, name: str) -> bool:
    """As a load balancer does: one that does not listen is left out."""
    edges = cluster.of_role("edge")
    for edge in random.sample(edges, len(edges)):
        try:
            status, page = cluster.page(edge, app_id, name)
        except ConnectionRefusedError:
            continue
        assert status == 200, page
        return True
    raise AssertionError("no edge listens")


class Clients:
    """boto3 for whichever control processes there are."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._key = cluster, cluster.administrator()
        self._made: dict[str, Any] = {}

    def of(self, member: Member) -> Any:
        if member.name not in self._made:
            retries = {"total_max_attempts": 3, "mode": "standard"}
            self._made[member.name] = self._cluster.client(member, self._key, retries=retries)
        return self._made[member.name]

    def start(self, app_id: str, name: str) -> bool:
        """Start a job; one that does not listen is left out."""
        controls = self._cluster.of_role("control")
        for control in random.sample(controls, len(controls)):
            try:
                return start_job(self.of(control), app_id, name)
            except EndpointConnectionError:
                continue
        raise AssertionError("no control process listens")


def states(cluster: Cluster) -> Counter[str]:
    with cluster.database() as database, database.read() as conn:
        return Counter(conn.scalars(select(jobs.c.state)))


def converged(cluster: Cluster, app_id: str) -> bool:
    with cluster.database() as database, database.read() as conn:
        active = [tuple(row) for row in conn.execute(select(branches.c.name, branches.c.active_job))]
    return all(
        cluster.page(edge, app_id, name) == (200, f"{job:010d}\n".encode())
        for edge in cluster.of_role("edge")
        for name, job in active
    )
