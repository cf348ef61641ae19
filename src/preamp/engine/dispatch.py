"""The worker's dispatcher: which branch to look at next, and how many jobs run at once.

Everything here is in memory and may be lost: a start scans the jobs table, and a sweep does so again
every second, so that no wake-up is needed for a job to run, only for it to run at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from preamp.engine import finish
from preamp.engine.claim import Claim, Nothing, claim_next, could_claim
from preamp.engine.recover import give_up
from preamp.engine.settle import settle
from preamp.engine.turns import Turns, weight_of
from preamp.engine.waiting import FOR_ACCOUNT, FOR_BRANCH, FOR_SLOT
from preamp.model.errors import DependentServiceFailure
from preamp.model.jobs import Attempt
from preamp.model.times import now_ms
from preamp.model.work import working_on
from preamp.store import jobs
from preamp.store.counters import PROCESS
from preamp.store.database import Database
from preamp.store.queue import Entrant, entrants

_log = logging.getLogger(__name__)
SWEEP_SECONDS = 1.0


class Interrupt(Enum):
    """Why a running job is being cut short."""

    STOP = "stop"  # the client asked; the job ends CANCELLED
    DRAIN = "drain"  # this worker goes away; the job is handed back
    LOST = "lost"  # the attempt is not current any more; nothing may be written


@dataclass(slots=True)
class Run:
    """A job under way. `interrupt` is set before the task is cancelled."""

    attempt: Attempt
    app_id: str = ""
    branch: str = ""
    """Its name; like the app's id, empty when it could not be looked up."""
    weight: int = 1
    """Slots that it takes."""
    task: asyncio.Task[None] | None = None
    interrupt: Interrupt | None = None

    def cut(self, why: Interrupt) -> None:
        """Cancel the run, once; it answers for its processes being dead before it ends."""
        if self.interrupt is None and self.task is not None:
            self.interrupt = why
            self.task.cancel()


@dataclass(slots=True)
class Dispatcher:
    """Runs jobs in up to `slots` slots. When these are scarce, apps take turns (`turns`), and a job that
    takes several slots is not overtaken by smaller ones until it gets them.

    `run(claim, run)` runs one job to its end and returns only when none of its processes is left.
    """

    database: Database
    worker_id: str
    slots: int
    concurrent_jobs: int
    run: Callable[[Claim, Run], Awaitable[None]]
    running: dict[int, Run] = field(default_factory=dict)
    _looks: dict[int, None] = field(default_factory=dict)
    _full: dict[int, None] = field(default_factory=dict)
    _something: asyncio.Event = field(default_factory=asyncio.Event)
    _grace: float | None = None
    _claiming: int | None = None
    _turns: Turns = field(default_factory=Turns)
    _entrants: dict[int, Entrant] = field(default_factory=dict)
    _waits: dict[int, str] = field(default_factory=dict)
    """By branch: what its next job was last seen waiting for."""

    def held(self) -> set[int]:
        """The branches whose jobs run here or are being claimed."""
        return set(self.running) if self._claiming is None else {*self.running, self._claiming}

    def count(self) -> None:
        """Set the numbers that are looked at."""
        PROCESS.set("preamp_worker_slots", self.slots)
        PROCESS.set("preamp_worker_slots_in_use", sum(self._in_use().values()))

    def cut_all(self) -> None:
        """Stop every job and hand it back, as soon as the database takes it."""
        for run in list(self.running.values()):
            run.cut(Interrupt.DRAIN)

    def wake(self, branch_id: int) -> None:
        """Look at a branch soon; the order of first calls is kept."""
        self._looks.setdefault(branch_id)
        self._something.set()

    def drain(self, grace_seconds: float) -> None:
        """Begin nothing more; `main` gives running jobs the grace time, hands back those that are left,
        and returns."""
        self._grace = grace_seconds
        self._something.set()

    async def main(self) -> None:
        """Dispatch until drained; no job of ours runs when it returns."""
        sweeper = asyncio.create_task(self._sweep())
        try:
            while self._grace is None:
                await self._something.wait()
                self._something.clear()
                await self._look_around()
            await self._wait_for_running(timeout=self._grace)
        finally:
            sweeper.cancel()
        for run in list(self.running.values()):
            run.cut(Interrupt.DRAIN)
        await self._wait_for_running(timeout=None)

    async def _wait_for_running(self, timeout: float | None) -> None:
        tasks = [run.task for run in self.running.values() if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    async def _look_around(self) -> None:
        for branch_id in list(self._looks):
            if run := self.running.get(branch_id):  # asked each time: jobs end meanwhile
                del self._looks[branch_id]
                await self._look_after(run)
        while self._looks and self._grace is None:
            in_use = self._in_use()
            free = self.slots - sum(in_use.values())
            if free <= 0:
                break
            await self._learn()
            branch_id = self._turns.next(self._looks, self._entrants, in_use)
            if run := self.running.get(branch_id):
                del self._looks[branch_id]
                await self._look_after(run)
            elif self._weight(branch_id) <= free:
                del self._looks[branch_id]
                await self._try(branch_id)
            elif await self._is_ready(branch_id):
                break  # it is next, and gets what becomes free
            else:
                del self._looks[branch_id]
        for branch_id in self._looks:
            self._waits[branch_id] = FOR_SLOT

    def _in_use(self) -> Counter[str]:
        """Slots by app."""
        in_use: Counter[str] = Counter()
        for run in self.running.values():
            in_use[run.app_id] += run.weight
        return in_use

    def _weight(self, branch_id: int) -> int:
        entrant = self._entrants.get(branch_id)
        return weight_of(entrant, slots=self.slots) if entrant else 1

    async def _learn(self) -> None:
        """Which apps the branches belong to that want to be looked at."""
        unknown = [branch_id for branch_id in self._looks if branch_id not in self._entrants]
        if not unknown:
            return
        try:
            found = await asyncio.to_thread(self._read_entrants, unknown)
            self._entrants.update(found)
        except DependentServiceFailure as error:
            _log.warning("could not look up the apps of waiting branches: %s", error)
        except Exception:  # noqa: BLE001 (nothing may end the dispatcher; turns are taken without it)
            _log.exception("could not look up the apps of waiting branches")

    def _read_entrants(self, branch_ids: list[int]) -> dict[int, Entrant]:
        with self.database.read() as conn:
            return entrants(conn, branch_ids)

    async def _is_ready(self, branch_id: int) -> bool:
        """Whether nothing but slots is missing. When in doubt, no: the sweep looks again."""
        try:
            missing = await asyncio.to_thread(
                could_claim, self.database, branch_id, concurrent_jobs=self.concurrent_jobs
            )
        except Exception as error:  # noqa: BLE001 (nothing may end the dispatcher)
            _log.warning("could not look at branch %s: %s", branch_id, error)
            return False
        if missing is not None:
            self._note(branch_id, missing)
        return missing is None

    def _note(self, branch_id: int, found: Nothing) -> None:
        """Remember why a branch gave no job."""
        match found:
            case Nothing.FULL:
                self._full[branch_id] = None
                self._waits[branch_id] = FOR_ACCOUNT
            case Nothing.BUSY:
                self._waits[branch_id] = FOR_BRANCH
            case Nothing.IDLE:
                self._waits.pop(branch_id, None)
                self._entrants.pop(branch_id, None)

    async def _look_after(self, run: Run) -> None:
        self._waits[run.attempt.branch_id] = FOR_BRANCH
        await self._check(run)

    async def _try(self, branch_id: int) -> None:
        self._claiming = branch_id
        try:
            await self._claim(branch_id)
        finally:
            self._claiming = None

    async def _claim(self, branch_id: int) -> None:
        try:
            found = await asyncio.to_thread(
                claim_next,
                self.database,
                branch_id,
                worker_id=self.worker_id,
                concurrent_jobs=self.concurrent_jobs,
            )
        except DependentServiceFailure as error:
            # Full disk, locked or absent database: the job stays pending and the next sweep tries again.
            _log.warning("could not claim a job of branch %s: %s", branch_id, error)
            return
        except Exception:  # noqa: BLE001 (nothing may end the dispatcher)
            _log.exception("could not claim a job of branch %s", branch_id)
            return
        if isinstance(found, Nothing):
            self._note(branch_id, found)
        else:
            claim = replace(found, waited_for=self._waits.pop(branch_id, None))
            weight, entrant = self._weight(branch_id), self._entrants.pop(branch_id, None)
            app_id = entrant.app_id if entrant else ""
            branch = entrant.branch if entrant else ""
            run = Run(attempt=claim.attempt, app_id=app_id, branch=branch, weight=weight)
            self.running[branch_id] = run
            self._turns.taken(app_id)
            PROCESS.add("preamp_attempts_total")
            run.task = asyncio.create_task(self._run_known(claim, run))
            await asyncio.sleep(0)  # a task that is cancelled before it began would clean nothing up

    async def _run_known(self, claim: Claim, run: Run) -> None:
        """With everything that is logged meanwhile marked as this attempt's."""
        attempt = run.attempt
        with working_on(
            app_id=run.app_id,
            branch_name=run.branch,
            branch_id=attempt.branch_id,
            job_id=str(attempt.number),
            attempt=attempt.attempt,
        ):
            await self._run(claim, run)

    async def _run(self, claim: Claim, run: Run) -> None:
        try:
            await self.run(claim, run)
        except asyncio.CancelledError:
            if run.interrupt is None:
                raise
        except DependentServiceFailure as error:
            # Not the job's fault: it runs again, though not for ever.
            _log.warning("the job is handed back: %s", error)
            reason = f"{error} This happened {{lost}} times while the job ran."
            await settle(lambda: give_up(self.database, claim.attempt, reason=reason, now=now_ms()))
        except Exception as error:  # noqa: BLE001 (whatever it is, the job must end and say so)
            _log.exception("the job broke")
            reason = f"Internal error: {type(error).__name__}: {error}"
            await settle(lambda: finish.fail(self.database, claim.attempt, reason=reason, now=now_ms()))
        finally:
            del self.running[claim.job.branch_id]
            for waiting in (*self._full, claim.job.branch_id):
                self._looks.setdefault(waiting)
            self._full.clear()
            self._something.set()

    async def _check(self, run: Run) -> None:
        """A wake-up for a branch that runs here: was the job stopped, or taken from us?"""
        try:
            current, stopping = await asyncio.to_thread(self._state_of, run.attempt)
        except Exception as error:  # noqa: BLE001 (nothing may end the dispatcher; the sweep looks again)
            _log.warning("could not look after attempt %s: %s", run.attempt, error)
            return
        if not current:
            run.cut(Interrupt.LOST)
        elif stopping:
            run.cut(Interrupt.STOP)

    def _state_of(self, attempt: Attempt) -> tuple[bool, bool]:
        with self.database.read() as conn:
            return jobs.is_current(conn, attempt), jobs.stop_requested(conn, attempt)

    async def _sweep(self) -> None:
        while True:
            try:
                waiting = await asyncio.to_thread(self._scan)
                for branch_id in (*waiting, *self.running):
                    self.wake(branch_id)
                self._forget(waiting)
            except DependentServiceFailure as error:
                _log.warning("sweep of the jobs table failed; it is tried again: %s", error)
            except Exception:  # noqa: BLE001 (the next sweep is the remedy)
                _log.exception("sweep of the jobs table failed; it is tried again")
            await asyncio.sleep(SWEEP_SECONDS)

    def _forget(self, waiting: list[int]) -> None:
        """What is known of branches that neither wait nor run any more."""
        known = {*waiting, *self.held(), *self._looks}
        for gone in self._entrants.keys() - known:
            del self._entrants[gone]
        for gone in self._waits.keys() - known:
            del self._waits[gone]

    def _scan(self) -> list[int]:
        with self.database.read() as conn:
            return jobs.branches_to_look_at(conn)
