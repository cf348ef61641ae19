"""The engine by itself: jobs that do nothing, on both forms, and on Procrastinate as the carrier of wake-ups.

Per form: how long it takes to accept a job, from the commit to the claim on an idle machine, how many jobs a
second one worker runs when 50 branches wait, and what an idle worker costs. Procrastinate is measured when it
is installed (`pip install procrastinate`); docs/decisions/0001 has why it is not used.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from bench.report import median, need, percentile, table
from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.engine.dispatch import Dispatcher, Run
from preamp.engine.liveness import BeatLiveness, Liveness, ProcessLiveness
from preamp.engine.wakeups import DistributedEngine, DistributedListener, EmbeddedEngine, WakeupListener
from preamp.engine.watch import keep_watch
from preamp.model.branches import Branch
from preamp.model.ids import new_release_id
from preamp.model.releases import Body, Release
from preamp.model.times import now_ms
from preamp.store import workers
from preamp.store.database import Database, Write
from tests.support.postgres import Postgres
from tests.support.rows import add_app, add_branch, new_database, push

BRANCHES = 50
JOBS = int(os.environ.get("JOBS", "1000"))
IDLE_JOBS = 100
IDLE_SECONDS = 10.0
SLOTS = 8
ALL = 10**6


@dataclass
class Form:
    """A worker under measurement."""

    database: Database
    engine: Any
    started: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    ended: int = 0

    async def run(self, claim: Claim, _run: Run | None = None) -> None:
        self.started.put_nowait(time.perf_counter())
        done = await asyncio.to_thread(
            finish.succeed, self.database, claim.attempt, app_id="d1", release=release(claim), now=now_ms()
        )
        assert done
        self.ended += 1


@dataclass(frozen=True)
class Row:
    accept_ms: float
    start_p50: float
    start_p99: float
    per_second: float
    idle_percent: float


Opened = Callable[[Path, str | None], Any]


@asynccontextmanager
async def ours(folder: Path, url: str | None) -> AsyncIterator[Form]:
    database = new_database(folder, url)
    form = Form(database, DistributedEngine() if url else EmbeddedEngine(folder))
    worker = workers.this_worker()
    liveness: Liveness = BeatLiveness(database, worker, 15) if url else ProcessLiveness(database, worker)
    liveness.enter()
    dispatcher = Dispatcher(
        database=database, worker_id=worker.worker_id, slots=SLOTS, concurrent_jobs=ALL, run=form.run
    )
    listener: Any = (
        DistributedListener(url, dispatcher.wake) if url else WakeupListener(folder, dispatcher.wake)
    )
    loop = asyncio.get_running_loop()
    listener.start(loop)
    main = asyncio.create_task(dispatcher.main())
    watch = asyncio.create_task(keep_watch(database, liveness, dispatcher))
    await asyncio.sleep(1)
    try:
        yield form
    finally:
        watch.cancel()
        dispatcher.drain(0)
        await main
        listener.close(loop)
        database.close()


class ProcrastinateEngine:
    """A wake-up is a task with the branch as its lock, deferred on our own connection."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def wake(self, tx: Write, branch_id: int) -> None:
        raw = tx.conn.connection.driver_connection
        task = self._app.configure_task("look", lock=str(branch_id), connection=raw)
        task.defer(branch_id=branch_id)


@asynccontextmanager
async def procrastinate_form(folder: Path, url: str | None) -> AsyncIterator[Form]:
    import procrastinate

    assert url is not None
    database = new_database(folder, url)
    form = Form(database, None)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name="look")
    async def look(branch_id: int) -> None:
        while True:
            found = await asyncio.to_thread(
                claim_next, database, branch_id, worker_id="w", concurrent_jobs=ALL, now=now_ms()
            )
            if not isinstance(found, Claim):
                return
            await form.run(found)

    accepting = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url))
    form.engine = ProcrastinateEngine(accepting)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=SLOTS,
                fetch_job_polling_interval=0.25,
                update_heartbeat_interval=1,
                stalled_worker_timeout=15,
                install_signal_handlers=False,
            )
        )
        await asyncio.sleep(1)
        try:
            yield form
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            database.close()


async def measure(opened: Opened, folder: Path, url: str | None) -> Row:
    async with opened(folder, url) as form:
        app = add_app(form.database)
        branches = [add_branch(form.database, app, f"b{n}") for n in range(BRANCHES)]
        accepts, starts = await _one_by_one(form, branches)
        per_second = await _all_at_once(form, branches)
        await asyncio.sleep(2)
        before = _cpu()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (_cpu() - before) / IDLE_SECONDS * 100
    return Row(median(accepts), median(starts), percentile(starts, 99), per_second, idle)


async def _one_by_one(form: Form, branches: list[Branch]) -> tuple[list[float], list[float]]:
    accepts, starts = [], []
    for number in range(IDLE_JOBS):
        begun = time.perf_counter()
        await asyncio.to_thread(push, form.database, form.engine, branches[number % BRANCHES])
        accepted = time.perf_counter()
        started = await asyncio.wait_for(form.started.get(), 30)
        accepts.append((accepted - begun) * 1000)
        starts.append((started - begun) * 1000)
        await asyncio.sleep(0.03)
    return accepts, starts


async def _all_at_once(form: Form, branches: list[Branch]) -> float:
    def queue() -> None:
        for number in range(JOBS):
            push(form.database, form.engine, branches[number % BRANCHES])

    before = form.ended
    begun = time.perf_counter()
    pushing = asyncio.create_task(asyncio.to_thread(queue))
    while form.ended - before < JOBS:  # noqa: ASYNC110 (the count is what is measured)
        await asyncio.sleep(0.01)
    await pushing
    return JOBS / (time.perf_counter() - begun)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def release(claim: Claim) -> Release:
    return Release(
        release_id=new_release_id(),
        branch_id=claim.job.branch_id,
        job=claim.job.number,
        manifest=Body(blob="0" * 64, size=2),
        file_count=0,
        total_bytes=0,
        created_ms=now_ms(),
    )


def main() -> None:
    need("postgres")
    forms: list[tuple[str, Opened, bool]] = [
        ("embedded: SQLite, datagrams", ours, False),
        ("distributed: PostgreSQL, NOTIFY", ours, True),
    ]
    if importlib.util.find_spec("procrastinate"):
        forms.append(("the same on Procrastinate", procrastinate_form, True))
    server = Postgres(durable=True)
    rows = []
    try:
        server.create()
        server.start()
        for name, opened, remote in forms:
            with tempfile.TemporaryDirectory(prefix="preamp-bench-") as folder:
                url = server.url(server.new_database()) if remote else None
                row: Awaitable[Row] = measure(opened, Path(folder), url)
                found = asyncio.run(row)  # type: ignore[arg-type]
            rows.append((name, *astuple(found)))
    finally:
        server.remove()
    table(
        f"Jobs that do nothing, {BRANCHES} branches, one worker with {SLOTS} slots, every commit durable",
        ("form", "accept p50 ms", "to RUNNING p50 ms", "p99 ms", "jobs/s", "idle, % of a core"),
        rows,
    )


if __name__ == "__main__":
    main()
