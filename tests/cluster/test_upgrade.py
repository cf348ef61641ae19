"""An upgrade while jobs are started and pages fetched: two neighbouring versions on one database."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cluster.test_rolling_restart import (
    Clients,
    check_nothing_is_lost,
    first_pages,
    get_somewhere,
    restart,
)
from tests.support.cluster import Cluster, Member, running_cluster
from tests.support.load import load
from tests.support.next_versions import THIS
from tests.support.preamp import until
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
        names = ["b0", "b1", "b2"]
        app_id = first_pages(cluster, clients, tmp_path, names)

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

        check_nothing_is_lost(cluster, app_id, under_load, names)


def add(cluster: Cluster, role: str, *, version: int) -> Member:
    """A process of the version after this one, or of the one after that."""
    port = None if role == "worker" else free_ports(1)[0]
    member = cluster.add(role, port=port, module=("tests.support.next_versions", str(version)))
    until(member.is_ready, f"{member.name}")
    return member


def schema(cluster: Cluster) -> str | None:
    with cluster.database() as database, database.read() as conn:
        return conn.scalar(text("SELECT version_num FROM alembic_version"))
