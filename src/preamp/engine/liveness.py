"""Which workers live. A worker that is dead here has no process left, or stopped them itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from preamp.model.times import now_ms
from preamp.store import workers
from preamp.store.database import NOTHING, Database
from preamp.store.workers import Worker

LOOK_SECONDS = 1.0
FORGOTTEN = 4
"""Leases after which the row of a dead worker goes; its jobs were taken over after one."""


class Liveness(Protocol):
    """How the workers of one database know of each other."""

    def enter(self) -> None:
        """Make this worker known."""

    def look(self) -> None:
        """Show that this worker lives and see who else does; call it once each `LOOK_SECONDS`. Blocking.

        Raises DependentServiceFailure when the database is away.
        """

    def is_dead(self, conn: Connection, worker_id: str) -> bool:
        """Whether that worker will never write again and none of its processes runs."""

    def is_leader(self) -> bool:
        """Whether this is the one that does what has to be done once, such as housekeeping."""

    def must_stop(self) -> bool:
        """Whether others may take this worker for dead soon: its builds have to be dead by then."""

    def leave(self) -> None:
        """This worker is gone; it holds no job."""


@dataclass(slots=True)
class ProcessLiveness:
    """One machine: a worker lives as long as its process does."""

    database: Database
    worker: Worker

    def enter(self) -> None:
        with self.database.write(NOTHING) as tx:
            workers.insert_worker(tx.conn, self.worker, now=now_ms())

    def look(self) -> None:
        return

    def is_dead(self, conn: Connection, worker_id: str) -> bool:
        return not workers.is_alive(conn, worker_id)

    def is_leader(self) -> bool:
        return True

    def must_stop(self) -> bool:
        return False

    def leave(self) -> None:
        with self.database.write(NOTHING) as tx:
            workers.delete_worker(tx.conn, self.worker.worker_id)


@dataclass(slots=True)
class BeatLiveness:
    """Many machines: a worker lives as long as its count grows.

    Each worker counts in its row, and each watches the counts of the others. One whose count was the same
    in `lease_seconds` looks of ours, one a second, is dead. No clock of any machine is compared with
    another's, so that jumps of clocks mean nothing; and while the database is away nobody looks, so that
    nobody is taken for dead because of it. A watcher that was frozen itself has not looked meanwhile.
    """

    database: Database
    worker: Worker
    lease_seconds: int
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By worker: its count, and in how many looks it has been that."""
    _last_beat: float = field(default_factory=time.monotonic)

    def enter(self) -> None:
        with self.database.write(NOTHING) as tx:
            workers.insert_worker(tx.conn, self.worker, now=now_ms())
        self._last_beat = time.monotonic()

    def look(self) -> None:
        with self.database.write(NOTHING) as tx:
            # After the wait for a connection: what others see is not older than this.
            begun = time.monotonic()
            if not workers.beat(tx.conn, self.worker.worker_id):
                # We were frozen or cut off, and are back; our jobs run elsewhere.
                workers.insert_worker(tx.conn, self.worker, now=now_ms())
            for worker_id, (_, looks) in self._seen.items():
                if looks >= FORGOTTEN * self.lease_seconds:
                    workers.delete_worker(tx.conn, worker_id)
            counts = workers.beats(tx.conn)
        self._last_beat = begun
        self._seen = {worker_id: self._compared(worker_id, count) for worker_id, count in counts.items()}

    def _compared(self, worker_id: str, count: int) -> tuple[int, int]:
        before, looks = self._seen.get(worker_id, (count, 0))
        return (count, looks + 1) if count == before else (count, 0)

    def is_dead(self, conn: Connection, worker_id: str) -> bool:
        if worker_id not in self._seen:
            # Its row was removed, or it is newer than our last look.
            return worker_id not in workers.beats(conn)
        return self._seen[worker_id][1] >= self.lease_seconds

    def is_leader(self) -> bool:
        alive = [worker_id for worker_id, (_, looks) in self._seen.items() if looks < self.lease_seconds]
        return bool(alive) and min(alive) == self.worker.worker_id

    def must_stop(self) -> bool:
        return time.monotonic() - self._last_beat > self.lease_seconds * 2 / 3

    def leave(self) -> None:
        with self.database.write(NOTHING) as tx:
            workers.delete_worker(tx.conn, self.worker.worker_id)
