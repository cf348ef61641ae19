"""What every engine must do. The jobs here are coroutines; real builds are in the acceptance tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.engine.dispatch import Dispatcher, Interrupt, Run
from preamp.engine.liveness import BeatLiveness, Liveness, ProcessLiveness
from preamp.engine.recover import MAX_LOST, recover
from preamp.engine.stop import delete_job, stop_job
from preamp.engine.wakeups import DistributedEngine, DistributedListener, EmbeddedEngine, WakeupListener
from preamp.model.apps import ComputeType
from preamp.model.branches import Branch
from preamp.model.errors import BadRequest
from preamp.model.ids import new_release_id
from preamp.model.jobs import Attempt, JobState, JobStatus
from preamp.model.releases import Body, Release
from preamp.model.times import now_ms
from preamp.model.work import current_work
from preamp.store import branches, jobs, workers
from preamp.store.attempts import Outcome
from preamp.store.database import Database
from tests.support.postgres import Postgres
from tests.support.rows import SCOPE, NoEngine, add_app, add_branch, job_of, new_database, push


@dataclass
class Machine:
    """A worker with jobs that wait until they are let go."""

    database: Database
    engine: EmbeddedEngine | DistributedEngine
    liveness: Liveness
    begun: list[tuple[int, int]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    gates: dict[tuple[int, int], asyncio.Event] = field(default_factory=dict)
    dispatcher: Dispatcher | None = None

    def gate(self, branch: Branch, number: int) -> asyncio.Event:
        return self.gates.setdefault((branch.branch_id, number), asyncio.Event())

    async def run(self, claim: Claim, run: Run) -> None:
        key = (claim.job.branch_id, claim.job.number)
        self.begun.append(key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gates.setdefault(key, asyncio.Event()).wait()
        except asyncio.CancelledError:
            if run.interrupt is Interrupt.STOP:
                finish.cancel(self.database, claim.attempt, reason="stopped", now=now_ms())
            elif run.interrupt is Interrupt.DRAIN:
                finish.hand_back(self.database, claim.attempt, Outcome.HANDED_BACK, now=now_ms())
        else:
            assert finish.succeed(
                self.database, claim.attempt, app_id="d1", release=release(claim), now=now_ms()
            )
        finally:
            self.at_once -= 1


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


@dataclass(frozen=True)
class Place:
    """Where an engine's state is: a folder, or a PostgreSQL database besides."""

    folder: Path
    url: str | None

    def new_database(self) -> Database:
        return new_database(self.folder, self.url)


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.needs("postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each test runs on both forms."""
    if request.param == "embedded":
        return Place(tmp_path, None)
    server: Postgres = request.getfixturevalue("postgres")
    return Place(tmp_path, server.url(server.new_database()))


@asynccontextmanager
async def machine(
    place: Place, *, slots: int = 4, concurrent_jobs: int = 100, open_gates: bool = False
) -> AsyncIterator[Machine]:
    database = place.new_database()
    worker = workers.this_worker()
    it = Machine(
        database=database,
        engine=DistributedEngine() if place.url else EmbeddedEngine(place.folder),
        liveness=BeatLiveness(database, worker, lease_seconds=5)
        if place.url
        else ProcessLiveness(database, worker),
    )
    it.liveness.enter()

    async def run(claim: Claim, run: Run) -> None:
        if open_gates:
            it.gates.setdefault((claim.job.branch_id, claim.job.number), asyncio.Event()).set()
        await it.run(claim, run)

    dispatcher = Dispatcher(
        database=database,
        worker_id=worker.worker_id,
        slots=slots,
        concurrent_jobs=concurrent_jobs,
        run=run,
    )
    it.dispatcher = dispatcher
    listener: DistributedListener | WakeupListener
    if place.url:
        listener = DistributedListener(place.url, dispatcher.wake)
    else:
        listener = WakeupListener(place.folder, dispatcher.wake)
    loop = asyncio.get_running_loop()
    listener.start(loop)
    main = asyncio.create_task(dispatcher.main())
    try:
        yield it
    finally:
        dispatcher.drain(0)
        await main
        listener.close(loop)
        if isinstance(it.engine, EmbeddedEngine):
            it.engine._socket.close()
        database.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (the conditions are rows of a database)
            await asyncio.sleep(0.005)


def drive(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def state(it: Machine, branch: Branch, number: int) -> JobState:
    return job_of(it.database, branch, number).state


def test_jobs_of_a_branch_run_one_at_a_time_and_in_order(place: Place) -> None:
    async def test() -> None:
        async with machine(place) as it:
            branch = add_branch(it.database, add_app(it.database))
            for _ in range(3):
                push(it.database, it.engine, branch)
            await until(lambda: len(it.begun) == 1)
            assert [state(it, branch, n) for n in (1, 2, 3)] == ["RUNNING", "PENDING", "PENDING"]
            for number in (1, 2, 3):
                it.gate(branch, number).set()
            await until(lambda: state(it, branch, 3) is JobState.SUCCEED)
            assert it.begun == [(branch.branch_id, n) for n in (1, 2, 3)]
            assert it.most_at_once == 1

    drive(test)


def test_no_more_jobs_at_once_than_slots(place: Place) -> None:
    async def test() -> None:
        async with machine(place, slots=2) as it:
            app = add_app(it.database)
            made = [add_branch(it.database, app, f"b{n}") for n in range(5)]
            for branch in made:
                push(it.database, it.engine, branch)
            await until(lambda: it.at_once == 2)
            for branch in made:
                it.gate(branch, 1).set()
            await until(lambda: all(state(it, b, 1) is JobState.SUCCEED for b in made))
            assert it.most_at_once == 2

    drive(test)


def test_the_limit_of_an_account_holds_over_all_its_apps(place: Place) -> None:
    async def test() -> None:
        async with machine(place, slots=8, concurrent_jobs=3) as it:
            made = [add_branch(it.database, add_app(it.database)) for _ in range(6)]
            for branch in made:
                push(it.database, it.engine, branch)
            await until(lambda: it.at_once == 3)
            for branch in made:
                it.gate(branch, 1).set()
            await until(lambda: all(state(it, b, 1) is JobState.SUCCEED for b in made))
            assert it.most_at_once == 3

    drive(test)


def test_a_job_accepted_without_any_wakeup_is_found_by_the_sweep(place: Place) -> None:
    async def test() -> None:
        async with machine(place, open_gates=True) as it:
            branch = add_branch(it.database, add_app(it.database))
            push(it.database, NoEngine(), branch)
            await until(lambda: state(it, branch, 1) is JobState.SUCCEED)

    drive(test)


def test_a_stopped_job_is_cancelling_until_its_work_has_ended_and_frees_the_branch(
    place: Place,
) -> None:
    async def test() -> None:
        async with machine(place) as it:
            branch = add_branch(it.database, add_app(it.database))
            push(it.database, it.engine, branch)
            push(it.database, it.engine, branch)
            await until(lambda: len(it.begun) == 1)
            with it.database.write() as tx:
                job = jobs.get_job(tx.conn, branch.branch_id, 1)
                assert job is not None
                assert stop_job(tx, it.engine, job, now=now_ms()).status is JobStatus.CANCELLING
            await until(lambda: state(it, branch, 1) is JobState.CANCELLED)
            it.gate(branch, 2).set()
            await until(lambda: state(it, branch, 2) is JobState.SUCCEED)

    drive(test)


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(place: Place) -> None:
    async def test() -> None:
        async with machine(place) as it:
            branch = add_branch(it.database, add_app(it.database))
            for _ in range(3):
                push(it.database, it.engine, branch)
            await until(lambda: len(it.begun) == 1)
            with it.database.write() as tx:
                job = jobs.get_job(tx.conn, branch.branch_id, 2)
                assert job is not None
                assert stop_job(tx, it.engine, job, now=now_ms()).status is JobStatus.CANCELLED
            it.gate(branch, 1).set()
            it.gate(branch, 3).set()
            await until(lambda: state(it, branch, 3) is JobState.SUCCEED)
            assert (branch.branch_id, 2) not in it.begun

    drive(test)


def test_a_finished_job_cannot_be_stopped_and_a_running_one_not_deleted(place: Place) -> None:
    async def test() -> None:
        async with machine(place) as it:
            branch = add_branch(it.database, add_app(it.database))
            push(it.database, it.engine, branch)
            await until(lambda: len(it.begun) == 1)
            with (
                pytest.raises(BadRequest, match="use StopJob"),
                it.database.write() as tx,
            ):
                delete_job(tx, it.engine, job_of(it.database, branch, 1))
            it.gate(branch, 1).set()
            await until(lambda: state(it, branch, 1) is JobState.SUCCEED)
            with (
                pytest.raises(BadRequest, match="already finished with status SUCCEED"),
                it.database.write() as tx,
            ):
                stop_job(tx, it.engine, job_of(it.database, branch, 1), now=now_ms())

    drive(test)


def test_draining_hands_running_jobs_back_and_begins_nothing(place: Place) -> None:
    async def test() -> None:
        async with machine(place, slots=1) as it:
            app = add_app(it.database)
            first, second = add_branch(it.database, app, "a"), add_branch(it.database, app, "b")
            push(it.database, it.engine, first)
            await until(lambda: len(it.begun) == 1)
            push(it.database, it.engine, second)
            assert it.dispatcher is not None
            it.dispatcher.drain(0)
            await until(lambda: state(it, first, 1) is JobState.PENDING)
            assert len(it.begun) == 1

    drive(test)


def test_a_dead_workers_job_runs_again_under_a_new_attempt_and_the_old_one_cannot_write(
    place: Place,
) -> None:
    async def test() -> None:
        async with machine(place, open_gates=True) as it:
            branch = add_branch(it.database, add_app(it.database))
            with it.database.write() as tx:
                branches.next_job_number(tx.conn, branch.branch_id)
                tx.conn.exec_driver_sql(
                    "INSERT INTO jobs (branch_id, number, app_id, account, region, type, state,"
                    " created_ms, started_ms, attempt, worker_id)"
                    f" VALUES ({branch.branch_id}, 1, 'd1', '{SCOPE.account}', '{SCOPE.region}',"
                    " 'RELEASE', 'RUNNING', 1, 1, 1, 'dead')"
                )
            assert it.dispatcher is not None
            me = it.dispatcher.worker_id
            assert recover(it.database, it.liveness, worker_id=me, now=now_ms()) == 1
            await until(lambda: state(it, branch, 1) is JobState.SUCCEED)
            job = job_of(it.database, branch, 1)
            assert job.attempt == 2
            old = Attempt(branch_id=branch.branch_id, number=1, attempt=1)
            assert not finish.fail(it.database, old, reason="too late", now=now_ms())
            assert job_of(it.database, branch, 1) == job

    drive(test)


def test_a_job_that_kills_its_worker_again_and_again_fails_with_the_reason(place: Place) -> None:
    database = place.new_database()
    branch = add_branch(database, add_app(database))
    push(database, NoEngine(), branch)
    nobody = ProcessLiveness(database, workers.this_worker())
    for death in range(1, MAX_LOST + 1):
        claimed = claim_next(
            database, branch.branch_id, worker_id=f"gone{death}", concurrent_jobs=5, now=now_ms()
        )
        assert isinstance(claimed, Claim)
        assert claimed.attempt.attempt == death
        recover(database, nobody, worker_id="me", now=now_ms())
    job = job_of(database, branch, 1)
    assert job.state is JobState.FAILED
    assert job.status_reason is not None
    assert "died 3 times" in job.status_reason
    database.close()


def test_a_success_that_comes_after_a_stop_does_not_count(place: Place) -> None:
    database = place.new_database()
    branch = add_branch(database, add_app(database))
    push(database, NoEngine(), branch)
    claimed = claim_next(database, branch.branch_id, worker_id="me", concurrent_jobs=5, now=now_ms())
    assert isinstance(claimed, Claim)
    with database.write() as tx:
        stop_job(tx, NoEngine(), job_of(database, branch, 1), now=now_ms())
    assert not finish.succeed(database, claimed.attempt, app_id="d1", release=release(claimed), now=now_ms())
    with database.read() as conn:
        found = branches.get_branch_by_id(conn, branch.branch_id)
    assert found is not None
    assert found.active_job is None
    database.close()


def test_a_job_whose_run_breaks_fails_and_says_so(place: Place) -> None:
    async def test() -> None:
        async with machine(place) as it:
            branch = add_branch(it.database, add_app(it.database))
            assert it.dispatcher is not None

            async def broken(claim: Claim, run: Run) -> None:
                raise ValueError("surprise")

            it.dispatcher.run = broken
            push(it.database, it.engine, branch)
            await until(lambda: state(it, branch, 1) is JobState.FAILED)
            reason = job_of(it.database, branch, 1).status_reason
            assert reason == "Internal error: ValueError: surprise"

    drive(test)


def test_what_is_logged_while_a_job_runs_is_marked_as_its(place: Place) -> None:
    async def test() -> None:
        async with machine(place) as it:
            app = add_app(it.database)
            branch = add_branch(it.database, app, "feature/x")
            known: list[Mapping[str, str | int]] = []

            async def look(claim: Claim, run: Run) -> None:
                known.append(await asyncio.to_thread(current_work))
                finish.fail(it.database, claim.attempt, reason="enough", now=now_ms())

            assert it.dispatcher is not None
            it.dispatcher.run = look
            push(it.database, it.engine, branch)
            await until(lambda: state(it, branch, 1) is JobState.FAILED)
            assert known == [
                {
                    "app_id": branch.app_id,
                    "branch_name": "feature/x",
                    "branch_id": branch.branch_id,
                    "job_id": "1",
                    "attempt": 1,
                }
            ]

    drive(test)


def test_apps_take_turns_when_slots_are_scarce(place: Place) -> None:
    async def scenario() -> None:
        async with machine(place, slots=1) as it:
            busy, quiet = add_app(it.database), add_app(it.database)
            crowd = [add_branch(it.database, busy, f"b{number}") for number in range(4)]
            alone = add_branch(it.database, quiet)
            for branch in (*crowd, alone):
                push(it.database, it.engine, branch)
            await until(lambda: len(it.begun) == 1)
            # Until the sweep has seen all of them.
            await until(lambda: it.dispatcher is not None and len(it.dispatcher._looks) == 4)
            for number in range(1, 6):
                await until(lambda number=number: len(it.begun) == number)
                branch_id, job = it.begun[-1]
                it.gates[(branch_id, job)].set()
            assert it.begun[1] == (alone.branch_id, 1)

    asyncio.run(scenario())


def test_a_job_with_more_weight_takes_more_slots_and_is_not_overtaken(place: Place) -> None:
    async def scenario() -> None:
        async with machine(place, slots=2) as it:
            small = add_app(it.database, repository="https://git.example/x.git")
            large = add_app(
                it.database, repository="https://git.example/x.git", compute_type=ComputeType.LARGE_16GB
            )
            first, last = add_branch(it.database, small), add_branch(it.database, small, "last")
            heavy = add_branch(it.database, large)
            push(it.database, it.engine, first)
            await until(lambda: len(it.begun) == 1)
            push(it.database, it.engine, heavy)
            await until(lambda: it.dispatcher is not None and heavy.branch_id in it.dispatcher._waits)
            push(it.database, it.engine, last)
            # A slot is free, but it is the heavy one's turn, which needs two.
            await asyncio.sleep(0.3)
            assert it.begun == [(first.branch_id, 1)]
            it.gate(first, 1).set()
            await until(lambda: len(it.begun) == 2)
            assert it.begun[1] == (heavy.branch_id, 1)
            await asyncio.sleep(0.3)
            assert it.most_at_once == 1
            it.gate(heavy, 1).set()
            await until(lambda: len(it.begun) == 3)
            it.gate(last, 1).set()

    asyncio.run(scenario())


def test_a_heavy_job_that_cannot_begin_holds_nobody_up(place: Place) -> None:
    async def scenario() -> None:
        async with machine(place, slots=2) as it:
            small = add_app(it.database)
            large = add_app(
                it.database, repository="https://git.example/x.git", compute_type=ComputeType.LARGE_16GB
            )
            heavy, other, light = (
                add_branch(it.database, large),
                add_branch(it.database, small, "other"),
                add_branch(it.database, small, "light"),
            )
            push(it.database, it.engine, heavy)
            await until(lambda: len(it.begun) == 1)
            # Its second job waits for the first, not for slots.
            push(it.database, it.engine, heavy)
            it.gate(heavy, 1).set()
            await until(lambda: len(it.begun) == 2)
            push(it.database, it.engine, other)
            push(it.database, it.engine, light)
            it.gate(heavy, 2).set()
            await until(lambda: len(it.begun) == 4)
            assert it.most_at_once == 2
            it.gate(other, 1).set()
            it.gate(light, 1).set()

    asyncio.run(scenario())
