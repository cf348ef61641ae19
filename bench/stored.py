"""What a job costs when much is stored: accept, claim, end and the sweep, on both forms, without processes.

None of them may depend on how many jobs and branches there are: every query goes by a key, or by an index
that holds unfinished jobs only.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from bench.list_jobs import finished_jobs
from bench.report import median, need, table
from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.model.apps import App
from preamp.model.branches import Branch
from preamp.model.times import now_ms
from preamp.store import jobs
from preamp.store.database import Database
from preamp.store.tables import branches as branch_table
from preamp.store.tables import jobs as job_table
from tests.support.postgres import Postgres
from tests.support.rows import NoEngine, add_app, add_branch, new_database, push

SIZES = tuple(
    tuple(int(part) for part in size.split("x"))
    for size in os.environ.get("STORED", "10x100,10x10000,1000x100,100000x1,100000x10").split(",")
)
"""(branches, jobs of each): from 1,000 to 1,000,000 jobs, and 100,000 on 10 to 100,000 branches."""
ROUNDS = 60
BATCH = 10_000
ALL = 10**6


def main() -> None:
    need("postgres")
    rows = []
    server = Postgres(durable=True)
    try:
        server.create()
        server.start()
        for form in ("SQLite", "PostgreSQL"):
            for count, each in SIZES:
                with tempfile.TemporaryDirectory(prefix="preamp-bench-") as folder:
                    url = server.url(server.new_database()) if form == "PostgreSQL" else None
                    database = new_database(Path(folder), url)
                    app = add_app(database)
                    used = fill(database, app, count, each)
                    rows.append((form, count * each, count, *measure(database, used)))
                    database.close()
    finally:
        server.remove()
    table(
        f"One job, median of {ROUNDS}, ms, every commit durable",
        ("database", "stored jobs", "branches", "accept", "claim", "end", "sweep", "who holds what"),
        rows,
    )


def fill(database: Database, app: App, count: int, each: int) -> list[Branch]:
    """Branches with finished jobs, written past the API; some of them to work with."""
    used = [add_branch(database, app, f"used-{number}") for number in range(10)]
    names = (f"b{number}" for number in range(count - 10))
    for batch in batches({"name": name} for name in names):
        rows = [
            {
                "app_id": app.app_id,
                "name": row["name"],
                "label": row["name"],
                "config": "{}",
                "tags": "{}",
                "created_ms": 1,
                "updated_ms": 1,
            }
            for row in batch
        ]
        with database.write() as tx:
            tx.conn.execute(insert(branch_table), rows)
    with database.read() as conn:
        ids = [
            row[0] for row in conn.execute(branch_table.select().with_only_columns(branch_table.c.branch_id))
        ]
    stored = (row for branch in ids for row in finished_jobs(app.app_id, app.scope.account, branch, each))
    for batch in batches(stored):
        with database.write() as tx:
            tx.conn.execute(insert(job_table), batch)
    with database.write() as tx:
        tx.conn.execute(update(branch_table).values(last_job=each, job_count=each))
    if database.is_shared:
        with database.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    return used


def batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := [row for row, _ in zip(rows, range(BATCH), strict=False)]:
        yield batch


def measure(database: Database, used: list[Branch]) -> tuple[float, ...]:
    took: dict[str, list[float]] = {name: [] for name in ("accept", "claim", "end", "sweep", "held")}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        found = work()
        took[name].append((time.perf_counter() - begun) * 1000)
        return found

    def sweep() -> None:
        with database.read() as conn:
            jobs.branches_to_look_at(conn)

    def held() -> None:
        with database.read() as conn:
            jobs.held(conn)

    for number in range(ROUNDS):
        branch = used[number % len(used)]
        timed("accept", lambda branch=branch: push(database, NoEngine(), branch))
        timed("sweep", sweep)
        claim = timed(
            "claim",
            lambda branch=branch: claim_next(
                database, branch.branch_id, worker_id="w", concurrent_jobs=ALL, now=now_ms()
            ),
        )
        assert isinstance(claim, Claim)
        timed("held", held)
        timed("end", lambda claim=claim: finish.fail(database, claim.attempt, reason="no", now=now_ms()))
    return tuple(median(values) for values in took.values())


if __name__ == "__main__":
    main()
