"""Worker processes and whether they live. A process is known by boot, pid and start time."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from preamp.store.tables import workers


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """One run of a worker process."""

    worker_id: str
    host: str
    boot_id: str
    pid: int
    pid_start: int
    """Clock ticks since boot: tells a process from a later one with the same pid."""


def this_worker() -> Worker:
    """The calling process under a new id."""
    pid = os.getpid()
    start = _start_of(pid)
    assert start is not None, "a process can read its own /proc entry"
    return Worker(
        worker_id=secrets.token_hex(8),
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=pid,
        pid_start=start,
    )


def insert_worker(conn: Connection, worker: Worker, *, now: int) -> None:
    conn.execute(
        insert(workers).values(
            worker_id=worker.worker_id,
            host=worker.host,
            boot_id=worker.boot_id,
            pid=worker.pid,
            pid_start=worker.pid_start,
            started_ms=now,
        )
    )


def is_alive(conn: Connection, worker_id: str) -> bool:
    """Whether the worker's process runs on this machine; unknown workers are dead."""
    row = conn.execute(select(workers).where(workers.c.worker_id == worker_id)).mappings().first()
    if row is None or row["boot_id"] != _boot_id():
        return False
    return bool(_start_of(row["pid"]) == row["pid_start"])


def beat(conn: Connection, worker_id: str) -> bool:
    """Count one more; False when the row is gone: others took the worker for dead."""
    done = conn.execute(
        update(workers).where(workers.c.worker_id == worker_id).values(beat=workers.c.beat + 1)
    )
    return done.rowcount == 1


def beats(conn: Connection) -> dict[str, int]:
    """The counts of all workers."""
    return {row[0]: row[1] for row in conn.execute(select(workers.c.worker_id, workers.c.beat))}


def delete_worker(conn: Connection, worker_id: str) -> None:
    conn.execute(delete(workers).where(workers.c.worker_id == worker_id))


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may contain anything
    state, start = fields[0], int(fields[19])
    return None if state in {"Z", "X"} else start
