"""Who is taken for dead, by counts alone: no clock matters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from preamp.engine.claim import Claim, claim_next
from preamp.engine.liveness import FORGOTTEN, BeatLiveness
from preamp.engine.recover import recover, unheld
from preamp.model.errors import DependentServiceFailure
from preamp.model.jobs import JobState
from preamp.model.times import now_ms
from preamp.store import workers
from preamp.store.database import Database
from tests.support.postgres import Postgres
from tests.support.rows import NoEngine, add_app, add_branch, job_of, new_database, push

pytestmark = pytest.mark.needs("postgres")
LEASE = 4


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Iterator[Database]:
    found = new_database(tmp_path, postgres.url(postgres.new_database()))
    yield found
    found.close()


def new_worker(database: Database) -> BeatLiveness:
    worker = BeatLiveness(database, workers.this_worker(), LEASE)
    worker.enter()
    return worker


def is_dead(database: Database, watcher: BeatLiveness, other: BeatLiveness) -> bool:
    with database.read() as conn:
        return watcher.is_dead(conn, other.worker.worker_id)


def test_a_silent_worker_is_dead_after_its_lease_and_not_before(database: Database) -> None:
    one, other = new_worker(database), new_worker(database)
    for _ in range(20):
        one.look()
        other.look()
    one.look()  # this one still sees the last beat
    for _ in range(LEASE - 1):
        one.look()
        assert not is_dead(database, one, other)
    one.look()
    assert is_dead(database, one, other)
    assert not is_dead(database, one, one)


def test_a_watcher_that_did_not_look_takes_nobody_for_dead(database: Database) -> None:
    frozen, other = new_worker(database), new_worker(database)
    frozen.look()
    for _ in range(10 * LEASE):
        other.look()
    frozen.look()
    assert not is_dead(database, frozen, other)


def test_one_that_comes_back_lives_again(database: Database) -> None:
    one, other = new_worker(database), new_worker(database)
    for _ in range(LEASE + 1):
        one.look()
    assert is_dead(database, one, other)
    other.look()
    one.look()
    assert not is_dead(database, one, other)
    for _ in range(FORGOTTEN * LEASE + 2):
        one.look()
    with database.read() as conn:
        assert other.worker.worker_id not in workers.beats(conn)
    other.look()
    one.look()
    assert not is_dead(database, one, other)


def test_there_is_one_leader_among_the_living(database: Database) -> None:
    crowd = [new_worker(database) for _ in range(3)]
    for _ in range(3):
        for worker in crowd:
            worker.look()
    leader = [worker for worker in crowd if worker.is_leader()]
    assert len(leader) == 1
    rest = [worker for worker in crowd if worker is not leader[0]]
    for _ in range(LEASE + 1):
        for worker in rest:
            worker.look()
    assert sum(worker.is_leader() for worker in rest) == 1


def test_a_worker_that_cannot_show_itself_has_to_stop(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database(tmp_path, postgres.url(postgres.new_database()))
    worker = new_worker(database)
    moment = worker._last_beat
    monkeypatch.setattr("preamp.engine.liveness.time.monotonic", lambda: moment + LEASE / 2)
    assert not worker.must_stop()
    monkeypatch.setattr("preamp.engine.liveness.time.monotonic", lambda: moment + LEASE * 0.7)
    assert worker.must_stop()
    worker.look()
    assert not worker.must_stop()
    database.close()


def test_the_jobs_of_the_dead_go_on_and_those_of_the_living_stay(database: Database) -> None:
    one, dying, living = (new_worker(database) for _ in range(3))
    app = add_app(database)
    taken = []
    for holder in (dying, living):
        branch = add_branch(database, app, f"of-{holder.worker.worker_id}")
        push(database, NoEngine(), branch)
        claim = claim_next(
            database, branch.branch_id, worker_id=holder.worker.worker_id, concurrent_jobs=9, now=now_ms()
        )
        assert isinstance(claim, Claim)
        taken.append(branch)
    me = one.worker.worker_id
    for _ in range(LEASE + 1):
        one.look()
        living.look()
    assert recover(database, one, worker_id=me, now=now_ms()) == 1
    assert [job_of(database, branch, 1).state for branch in taken] == [JobState.PENDING, JobState.RUNNING]


def test_a_claim_whose_answer_was_lost_is_found(database: Database) -> None:
    branch = add_branch(database, add_app(database))
    push(database, NoEngine(), branch)
    claim = claim_next(database, branch.branch_id, worker_id="me", concurrent_jobs=9, now=now_ms())
    assert isinstance(claim, Claim)
    assert unheld(database, worker_id="me", ours={branch.branch_id}) == []
    assert unheld(database, worker_id="me", ours=set()) == [claim.attempt]
    assert unheld(database, worker_id="other", ours=set()) == []


def test_an_absent_database_is_said_to_be_away(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.url("nowhere")
    from preamp.store.postgres import open_postgres

    database = open_postgres(url)
    with pytest.raises(DependentServiceFailure, match="The database is away"), database.read():
        pass
    with pytest.raises(DependentServiceFailure, match="The database is away"), database.write():
        pass
    database.close()
