"""The steps of one attempt: their rows and their logs."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from preamp.model.jobs import Attempt, StepName, StepStatus
from preamp.model.times import iso, now_ms
from preamp.store import jobs, steps
from preamp.store.counters import PROCESS
from preamp.store.database import Database, branch_lock
from preamp.store.logs import LogStore, LogWriter

_log = logging.getLogger(__name__)
SETTLE_SECONDS = 10.0
"""How long a job's end waits for its logs."""


class AttemptLost(Exception):
    """Another attempt runs this job now, or the job is gone: nothing more may be written."""


@dataclass(slots=True)
class StepLog:
    """A log in the form of Amplify's DEPLOY log (behaviour reference, section 4.3)."""

    writer: LogWriter

    def info(self, text: str) -> None:
        self._line("INFO", text)

    def warning(self, text: str) -> None:
        self._line("WARNING", text)

    def error(self, text: str) -> None:
        self._line("ERROR", text)

    def _line(self, level: str, text: str) -> None:
        stamp = iso(now_ms())[:19]
        body = text.rstrip("\n").replace("\n", "\n" + " " * 33)
        self.writer.write(f"{stamp} [{level}]: {body}\n".encode("utf-8", "replace"))


class Steps:
    """Begins and ends steps; one step is open at a time."""

    def __init__(self, database: Database, logs: LogStore, attempt: Attempt) -> None:
        self._database = database
        self._logs = logs
        self._attempt = attempt
        self._open: tuple[StepName, LogWriter] | None = None
        self._begun = 0.0

    async def begin(
        self,
        name: StepName,
        *,
        context: str | None = None,
        ended_context: str | None = None,
    ) -> StepLog:
        """End the open step as SUCCEED, with its context, and begin the next one.

        Raises AttemptLost.
        """
        previous = self._close()
        writer = self._logs.writer(self._attempt, name)
        self._open = (name, writer)
        self._begun = time.monotonic()

        def write() -> None:
            with self._database.write(branch_lock(self._attempt.branch_id)) as tx:
                now = now_ms()
                if not jobs.is_current(tx.conn, self._attempt):
                    raise AttemptLost
                if previous:
                    steps.end_step(
                        tx.conn,
                        self._attempt,
                        previous,
                        StepStatus.SUCCEED,
                        context=ended_context,
                        now=now,
                    )
                steps.start_step(tx.conn, self._attempt, name, context=context, now=now)

        await asyncio.to_thread(write)
        return StepLog(writer)

    def fail(self, reason: str) -> None:
        """Say in the open step's log why the job ends."""
        if self._open:
            StepLog(self._open[1]).error(reason)

    async def complete(self) -> None:
        """Close the open log and see that all of them can be read by whoever is told that the job is over."""
        self._close()
        if not await asyncio.to_thread(self._logs.settle, self._attempt, seconds=SETTLE_SECONDS):
            _log.warning("the logs of %s follow when the object store takes them", self._attempt)

    def say(self, text: str) -> None:
        """Add a line to the open step's log."""
        if self._open:
            StepLog(self._open[1]).info(text)

    def close(self) -> None:
        """Close the open log; its row ends with the job's."""
        self._close()

    def _close(self) -> StepName | None:
        if self._open is None:
            return None
        name, writer = self._open
        self._open = None
        writer.close()
        PROCESS.add("preamp_step_seconds_sum", time.monotonic() - self._begun, step=name.value)
        PROCESS.add("preamp_step_seconds_count", step=name.value)
        return name
