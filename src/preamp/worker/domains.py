"""The owner of domain associations: looks their names up and moves their status on."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from preamp.engine.domains import step, unverified
from preamp.model.times import now_ms
from preamp.store import changes, domains
from preamp.store.database import Database
from preamp.worker.reach import Reach

POLL_SECONDS = 1.0
LOOKUP_SECONDS = 5.0
LOOKUPS_AT_ONCE = 8
NO_ANSWER = f"the name servers gave no answer within {LOOKUP_SECONDS:g} s."

log = logging.getLogger(__name__)


class DomainWatch:
    """One for the worker process. Lookups have threads of their own: a dead name server holds no job up."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="lookup")

    async def keep_watching(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self.look_around(now=now_ms())
                except Exception:
                    log.exception("looking after domain associations failed; it is tried again")
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def look_around(self, *, now: int) -> int:
        """Look at every association that is due; returns how many were."""
        due = await asyncio.to_thread(self._due, now)
        for domain_id in due:
            await self._look_at(domain_id, now)
        return len(due)

    def _due(self, now: int) -> list[int]:
        with self._database.read() as conn:
            return domains.due(conn, now=now)

    async def _look_at(self, domain_id: int, now: int) -> None:
        hosts = await asyncio.to_thread(self._hosts, domain_id)
        found = await asyncio.gather(*(self._look_up(host) for host in hosts))
        await asyncio.to_thread(self._write, domain_id, dict(zip(hosts, found, strict=True)), now)

    def _hosts(self, domain_id: int) -> list[str]:
        with self._database.read() as conn:
            domain = domains.get_domain_by_id(conn, domain_id)
        return [sub.host for sub in unverified(domain)] if domain else []

    async def _look_up(self, host: str) -> str | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await loop.run_in_executor(self._threads, self._reach.problem_of, host)
        except TimeoutError:
            return NO_ANSWER

    def _write(self, domain_id: int, problems: dict[str, str | None], now: int) -> None:
        with self._database.write() as tx:
            domain = domains.get_domain_by_id(tx.conn, domain_id)
            if domain is None:
                return
            verified = False
            for host, problem in problems.items():
                if problem is None:
                    verified |= domains.verify(tx.conn, domain_id, host, now=now)
                else:
                    domains.set_problem(tx.conn, domain_id, host, problem)
            if verified:
                changes.record(tx, domain.app_id, now=now)
            step(tx, domain_id, now=now)
