"""An upgrade while jobs are started and pages fetched: two neighbouring versions on one database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text

from preamp.store.tables import attempts
from tests.cluster.test_rolling_restart import SPEC, Clients, converged, get_somewhere, restart, states
from tests.support.cluster import Cluster, Member, running_cluster
from tests.support.load import load
from tests.support.next_versions import THIS
from tests.support.preamp import TERMINAL, until
from tests.support.repositories import new_repository
from tests.support.swift import free_ports

pytestmark = [
    pytest.mark.needs("git", "bwrap", "postgres", "initdb", "setpriv"),
    pytest.mark.timeout(300),
]

ROLES = ("control", "worker", "edge")


def test_an_upgrade_under_load_loses_nothing(tmp_path: Path) -> None:
    with running_cluster(tmp_path, controls=1, workers=1, edges=1, namespaces=False) as cluster:
        old = list(cluster.members)
        clients = Clients(cluster)
        repository = new_repository(tmp_path / "git", {"amplify.yml": SPEC})
        client = clients.of(old[0])
        app_id = client.create_app(name="upgrade", repository=repository.url)["app"]["appId"]
        names = ["b0", "b1", "b2"]
        for name in names:
            repository.commit({"name": name}, branch=name)
            client.create_branch(appId=app_id, branchName=name)
            clients.start(app_id, name)
        until(lambda: states(cluster) == {"SUCCEED": len(names)}, "the first jobs")
        until(lambda: converged(cluster, app_id), "the first pages")

        requests: list[tuple[str, Callable[[], bool]]] = [
            *(("job", partial(clients.start, app_id, name)) for name in names),
            ("page", partial(get_somewhere, cluster, app_id, names[0])),
        ]
        with load(requests) as under_load:
            assert schema(cluster) == THIS
            new = [add(cluster, role, version=1) for role in ROLES]
            assert schema(cluster) == f"9001 {THIS}"
            under_load.wait_for_more()
            for member in old:
                restart(member)  # also what is started again in the middle of the roll-out works
                under_load.wait_for_more()
            for member in old:
                cluster.end(member)
            under_load.wait_for_more()
            for role in ROLES:
                add(cluster, role, version=2)
            assert schema(cluster) == "9002 9001"
            under_load.wait_for_more()
            for member in new:
                cluster.end(member)
            under_load.wait_for_more()

        until(lambda: set(states(cluster)) <= TERMINAL, "the jobs to end")
        until(lambda: converged(cluster, app_id), "the edges to serve the newest releases")
        with cluster.database() as database, database.read() as conn:
            outcomes = Counter(conn.scalars(select(attempts.c.outcome)))
        print(f"{dict(under_load.done)}; states {dict(states(cluster))}; attempts {dict(outcomes)}")
        assert states(cluster) == {"SUCCEED": under_load.done["job"] + len(names)}
        assert set(outcomes) <= {"FINISHED", "HANDED_BACK"}


def add(cluster: Cluster, role: str, *, version: int) -> Member:
    """A process of the version after this one, or of the one after that."""
    port = None if role == "worker" else free_ports(1)[0]
    member = cluster.add(role, port=port, module=("tests.support.next_versions", str(version)))
    until(lambda: " is ready" in member.log(), f"{member.name}")
    return member


def schema(cluster: Cluster) -> str | None:
    with cluster.database() as database, database.read() as conn:
        return conn.scalar(text("SELECT version_num FROM alembic_version"))
