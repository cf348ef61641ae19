"""What PostgreSQL's many writers must not break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from preamp.engine.claim import Claim, claim_next
from preamp.model.errors import BadRequest, DependentServiceFailure, LimitExceeded
from preamp.model.times import now_ms
from preamp.settings import SettingsError
from preamp.store import branches, changes, keys
from preamp.store.database import EVERYTHING, NOTHING, Database, branch_lock
from preamp.store.listen import HeardChanges, Listener
from preamp.store.migrate import upgrade
from preamp.store.postgres import open_postgres
from preamp.store.sealing import MasterKey
from tests.support.postgres import Postgres
from tests.support.rows import SCOPE, NoEngine, add_app, add_branch, job_of, new_database, push

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.url(postgres.new_database())


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    found = new_database(tmp_path, url)
    yield found
    found.close()


def at_once(*work: Callable[[], object]) -> list[object]:
    """Results or exceptions, in order."""
    found: list[object] = [None] * len(work)
    barrier = threading.Barrier(len(work))

    def run(number: int) -> None:
        barrier.wait()
        try:
            found[number] = work[number]()
        except Exception as error:  # noqa: BLE001 (the caller looks at it)
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_database_is_prepared_once_by_many_at_once(url: str) -> None:
    opened = [open_postgres(url) for _ in range(4)]
    assert at_once(*(lambda it=it: upgrade(it) for it in opened)) == [None] * 4
    for it in opened:
        add_app(it)
        it.close()


def test_of_many_calls_at_once_one_starts_a_job(database: Database) -> None:
    from preamp.engine.accept import accept_job
    from preamp.model.jobs import JobType

    branch = add_branch(database, add_app(database))

    def start() -> object:
        with database.write() as tx:
            return accept_job(
                tx,
                NoEngine(),
                scope=SCOPE,
                branch=branch,
                type=JobType.RELEASE,
                commit=None,
                reason=None,
                now=now_ms(),
            ).number

    found = at_once(*[start] * 6)
    assert [item for item in found if not isinstance(item, LimitExceeded)] == [1]


def test_of_many_workers_one_gets_the_job_and_the_account_keeps_its_limit(database: Database) -> None:
    app = add_app(database)
    made = [add_branch(database, app, f"b{number}") for number in range(6)]
    for branch in made:
        push(database, NoEngine(), branch)

    def claim(worker: int, branch_id: int) -> object:
        return claim_next(database, branch_id, worker_id=f"w{worker}", concurrent_jobs=3, now=now_ms())

    found = at_once(
        *(
            lambda worker=worker, branch=branch: claim(worker, branch.branch_id)
            for worker in range(2)
            for branch in made
        )
    )
    claimed = [item for item in found if isinstance(item, Claim)]
    assert not [item for item in found if isinstance(item, Exception)]
    assert len(claimed) == 3
    assert len({item.job.branch_id for item in claimed}) == 3


def test_changes_are_seen_in_the_order_of_their_numbers(database: Database) -> None:
    """Also when a transaction with a lower number takes longer."""
    recorded, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with database.write(branch_lock(1)) as tx:
            changes.record(tx, "slow", now=1)
            recorded.set()
            go_on.wait(20)

    def quick() -> None:
        with database.write(branch_lock(2)) as tx:
            changes.record(tx, "quick", now=1)

    first, second = threading.Thread(target=slow), threading.Thread(target=quick)
    first.start()
    recorded.wait(20)
    second.start()
    second.join(0.3)
    with database.read() as conn:
        assert changes.since(conn, 0) == []
    go_on.set()
    first.join()
    second.join()
    with database.read() as conn:
        assert [app for _, app in changes.since(conn, 0)] == ["slow", "quick"]


def test_an_operation_waits_for_the_engine_and_the_engine_only_for_its_branch(database: Database) -> None:
    order: list[str] = []
    holding, go_on = threading.Event(), threading.Event()

    def engine() -> None:
        with database.write(branch_lock(1)):
            holding.set()
            go_on.wait(20)
            order.append("engine")

    def operation() -> None:
        with database.write(EVERYTHING):
            order.append("operation")

    first = threading.Thread(target=engine)
    first.start()
    holding.wait(20)
    with database.write(branch_lock(2)):
        order.append("other branch")
    with database.write(NOTHING):
        order.append("heartbeat")
    second = threading.Thread(target=operation)
    second.start()
    second.join(0.3)
    go_on.set()
    first.join()
    second.join()
    assert order == ["other branch", "heartbeat", "engine", "operation"]


def test_a_read_is_one_snapshot(database: Database) -> None:
    app = add_app(database)
    with database.read() as conn:
        assert branches.count_branches(conn, app.app_id) == 0
        add_branch(database, app)
        assert branches.count_branches(conn, app.app_id) == 0


def test_a_frozen_writer_gives_its_lock_up(url: str, database: Database) -> None:
    """Its session is ended by the server, so that nobody waits for a process that does not run."""
    impatient = open_postgres(url)
    with impatient.engine.connect() as conn:
        conn.exec_driver_sql("SET SESSION idle_in_transaction_session_timeout = '300ms'")
        conn.commit()
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (0x51 << 48,))
        with database.write() as tx:
            branches.count_branches(tx.conn, "x")
        conn.invalidate()
    impatient.close()


def test_a_server_that_was_restarted_is_found_again(tmp_path: Path) -> None:
    server = Postgres()
    try:
        server.create()
        server.start()
        database = new_database(tmp_path, server.url(server.new_database()))
        app = add_app(database)
        server.stop()
        with pytest.raises(DependentServiceFailure), database.read() as conn:
            branches.count_branches(conn, app.app_id)
        server.start()
        branch = add_branch(database, app)
        push(database, NoEngine(), branch)
        assert job_of(database, branch, 1).number == 1
        database.patience_s = 30
        server.stop()
        waiting = threading.Thread(target=lambda: push(database, NoEngine(), branch))
        waiting.start()
        time.sleep(0.3)
        server.start()
        waiting.join()
        assert job_of(database, branch, 2).number == 2
        database.close()
    finally:
        server.remove()


def test_a_nul_in_a_text_is_the_callers_mistake(database: Database) -> None:
    master = MasterKey(b"k" * 32)
    with pytest.raises(BadRequest, match="NUL"), database.write() as tx:
        keys.create_key(tx.conn, master, account="1", name="a\0b", policy=None, now=1)


def test_readers_cannot_write(url: str, database: Database) -> None:
    reader = open_postgres(url, read_only=True)
    with pytest.raises(DependentServiceFailure, match="refuses to write"), reader.write() as tx:
        keys.delete_key(tx.conn, "x")
    reader.close()


@pytest.mark.parametrize("wrong", ["mysql://host/name", "nonsense"])
def test_another_kind_of_url_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="postgresql://"):
        open_postgres(wrong)


def test_messages_come_with_their_commit_and_again_after_a_broken_connection(
    url: str, database: Database
) -> None:
    heard: list[str] = []
    listener = Listener(url, {"words": heard.append})
    listener.start()
    assert listener.connected.wait(20)
    with database.write() as tx:
        tx.notify("words", "one")
        time.sleep(0.1)
        assert heard == []
    until(lambda: heard == ["one"])
    with database.write() as tx:
        tx.notify("words", "never")
        tx.conn.rollback()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    until(lambda: not listener.connected.is_set())
    assert listener.connected.wait(20)
    with database.write() as tx:
        tx.notify("words", "two")
    until(lambda: heard == ["one", "two"])
    listener.close()


def test_edges_hear_of_a_change_at_once(url: str, database: Database) -> None:
    heard = HeardChanges(url)
    assert heard._listener.connected.wait(20)
    with database.write() as tx:
        changes.record(tx, "d1", now=1)
    with database.read() as conn:
        newest = changes.latest(conn)
    until(lambda: heard.value == newest)
    heard.close()
