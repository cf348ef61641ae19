"""A model check of the jobs of two branches: calls, worker steps and crashes in any order, on the real store.

The model knows less than the program: which jobs were accepted, which worker holds what, and what must be
served. After every step the tables have to agree with it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from preamp.engine import finish
from preamp.engine.claim import Claim, claim_next
from preamp.engine.recover import MAX_LOST, give_up
from preamp.engine.stop import delete_job, stop_job
from preamp.engine.switch import roll_back
from preamp.model.branches import Branch
from preamp.model.errors import BadRequest, NotFound
from preamp.model.ids import new_release_id
from preamp.model.jobs import TERMINAL, Attempt, JobState
from preamp.model.releases import Body, Release
from preamp.store import branches, jobs, releases
from preamp.store.attempts import Outcome
from preamp.store.database import Database
from tests.support.rows import NoEngine, add_app, add_branch, new_database, push

WHICH = st.integers(0, 1)
ANY = st.integers(1, 12)
LIMIT = 1


class Jobs(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.database = self.fresh_database(Path(self.folder.name))
        self.app = add_app(self.database)
        self.branches = [add_branch(self.database, self.app, name) for name in ("a", "b")]
        self.held: dict[int, Claim] = {}
        """What a worker runs, by branch id."""
        self.zombies: list[Attempt] = []
        """Attempts that were taken over; their workers may still try to write."""
        self.states: dict[tuple[int, int], JobState] = {}
        self.lost: dict[tuple[int, int], int] = {}
        self.served: dict[int, int | None] = {branch.branch_id: None for branch in self.branches}
        self.now = 1_000_000

    def fresh_database(self, folder: Path) -> Database:
        return new_database(folder)

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    @rule(ms=st.integers(-10_000_000, 10_000_000))
    def jump(self, ms: int) -> None:
        """The clock is set."""
        self.now = max(1, self.now + ms)

    @rule(which=WHICH)
    def accept(self, which: int) -> None:
        branch = self.branches[which]
        job = push(self.database, NoEngine(), branch)
        numbers = [number for branch_id, number in self.states if branch_id == branch.branch_id]
        assert job.number > max(numbers, default=0)
        self.states[branch.branch_id, job.number] = JobState.PENDING

    @rule(which=WHICH)
    def claim(self, which: int) -> None:
        branch_id = self.branches[which].branch_id
        found = claim_next(self.database, branch_id, worker_id="w", concurrent_jobs=LIMIT, now=self.now)
        waiting = [
            number
            for (owner, number), state in self.states.items()
            if owner == branch_id and state is JobState.PENDING
        ]
        if self.held or not waiting:
            assert not isinstance(found, Claim)
        else:
            assert isinstance(found, Claim)
            assert found.job.number == min(waiting)
            self.held[branch_id] = found
            self.states[branch_id, found.job.number] = JobState.RUNNING

    @precondition(lambda self: self.held)
    @rule(end=st.sampled_from(["succeed", "fail", "hand back", "crash", "cancel"]))
    def end(self, end: str) -> None:
        branch_id, claim = self.held.popitem()
        key = (branch_id, claim.job.number)
        with self.database.read() as conn:
            stopping = jobs.stop_requested(conn, claim.attempt)
        if end == "succeed":
            done = finish.succeed(
                self.database,
                claim.attempt,
                app_id=self.app.app_id,
                release=_release(claim.attempt, self.now),
                now=self.now,
            )
            assert done is not stopping
            if done:
                self.states[key] = JobState.SUCCEED
                self.served[branch_id] = max(self.served[branch_id] or 0, key[1])
                return
            end = "cancel"
        if end == "cancel":
            assert finish.cancel(self.database, claim.attempt, reason="x", now=self.now)
            self.states[key] = JobState.CANCELLED
        elif end == "fail":
            assert finish.fail(self.database, claim.attempt, reason="x", now=self.now)
            self.states[key] = JobState.FAILED
        elif end == "hand back":
            assert finish.hand_back(self.database, claim.attempt, Outcome.HANDED_BACK, now=self.now)
            self.states[key] = JobState.PENDING
        else:
            assert give_up(self.database, claim.attempt, reason="{lost} times", now=self.now)
            self.lost[key] = self.lost.get(key, 0) + 1
            over = JobState.FAILED if self.lost[key] >= MAX_LOST else JobState.PENDING
            self.states[key] = JobState.CANCELLED if stopping else over
        self.zombies.append(claim.attempt)

    @precondition(lambda self: self.zombies)
    @rule(data=st.data())
    def write_late(self, data: Any) -> None:
        """A worker that was given up comes back: nothing it writes counts."""
        attempt = data.draw(st.sampled_from(self.zombies))
        assert not finish.fail(self.database, attempt, reason="late", now=self.now)
        assert not finish.hand_back(self.database, attempt, Outcome.LOST, now=self.now)
        assert not finish.succeed(
            self.database,
            attempt,
            app_id=self.app.app_id,
            release=_release(attempt, self.now),
            now=self.now,
        )

    @rule(which=WHICH, number=ANY)
    def stop(self, which: int, number: int) -> None:
        branch_id = self.branches[which].branch_id
        with self.database.write() as tx:
            job = jobs.get_job(tx.conn, branch_id, number)
            if job is None:
                return
            try:
                stopped = stop_job(tx, NoEngine(), job, now=self.now)
            except BadRequest:
                assert self.states[branch_id, number] in TERMINAL
                return
        if self.states[branch_id, number] is JobState.PENDING:
            self.states[branch_id, number] = JobState.CANCELLED
        assert stopped.state is self.states[branch_id, number]

    @rule(which=WHICH, number=ANY)
    def delete(self, which: int, number: int) -> None:
        branch_id = self.branches[which].branch_id
        with self.database.write() as tx:
            job = jobs.get_job(tx.conn, branch_id, number)
            if job is None:
                return
            try:
                delete_job(tx, NoEngine(), job)
            except BadRequest:
                assert self.states[branch_id, number] is JobState.RUNNING
                return
        assert self.states.pop((branch_id, number)) is not JobState.RUNNING

    @rule(which=WHICH)
    def go_back(self, which: int) -> None:
        branch = self._branch(which)
        try:
            with self.database.write() as tx:
                switch = roll_back(tx, branch, job=None, actor="a", now=self.now)
        except NotFound:
            return
        assert branch.active_job is not None
        assert switch.to_job < branch.active_job
        self.served[branch.branch_id] = switch.to_job

    def _branch(self, which: int) -> Branch:
        with self.database.read() as conn:
            found = branches.get_branch_by_id(conn, self.branches[which].branch_id)
        assert found is not None
        return found

    @invariant()
    def tables_agree(self) -> None:
        if not hasattr(self, "states"):
            return
        for which, branch in enumerate(self.branches):
            with self.database.read() as conn:
                rows = jobs.page_jobs(conn, branch.branch_id, before=None, limit=1000)
            found = {(job.branch_id, job.number): job.state for job in rows}
            mine = {key: state for key, state in self.states.items() if key[0] == branch.branch_id}
            assert found == mine
            assert sum(job.state is JobState.RUNNING for job in rows) <= 1
            assert all((job.ended_ms is None) is (job.state not in TERMINAL) for job in rows)
            now = self._branch(which)
            assert now.active_job == self.served[branch.branch_id]
            assert now.job_count == len(rows)
            if now.active_release is not None:
                with self.database.read() as conn:
                    assert releases.get_release(conn, now.active_release) is not None


def _release(attempt: Attempt, now: int) -> Release:
    return Release(
        release_id=new_release_id(),
        branch_id=attempt.branch_id,
        job=attempt.number,
        manifest=Body(blob="0" * 64, size=2),
        file_count=0,
        total_bytes=0,
        created_ms=now,
    )


TestJobs = Jobs.TestCase
TestJobs.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
