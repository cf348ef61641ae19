"""What the worker does besides jobs: things that time alone brings about."""

from __future__ import annotations

import asyncio
import logging

from preamp.build.sandbox.orphans import kill_orphans
from preamp.engine.clock import SteadyClock
from preamp.engine.deployments import expire_deployments
from preamp.store.access_logs import AccessLogs
from preamp.store.database import Database

CHORE_SECONDS = 60.0
DAY_MS = 24 * 3600 * 1000

log = logging.getLogger(__name__)


async def keep_house(database: Database, access_logs: AccessLogs, *, access_log_days: int) -> None:
    """Fail deployments that were never started, delete old access logs and kill what was left of sandboxes,
    until cancelled."""

    clock = SteadyClock()

    def sweep() -> None:
        now = clock()
        failed = expire_deployments(database, now=now)
        if failed:
            log.info("failed %s deployments that were not started in time", failed)
        access_logs.delete_before(now - access_log_days * DAY_MS)
        for pid in kill_orphans():
            log.info("killed the beginning of a sandbox, which nobody waited for: %s", pid)

    while True:
        try:
            await asyncio.to_thread(sweep)
        except Exception:
            log.exception("housekeeping failed; it is tried again")
        await asyncio.sleep(CHORE_SECONDS)
