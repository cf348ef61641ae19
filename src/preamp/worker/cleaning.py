"""The worker's regular round of cleaning: what is kept no longer, and what nothing refers to."""

from __future__ import annotations

import asyncio
import logging

from preamp.engine.clock import SteadyClock
from preamp.engine.collect import Collected, collect_garbage
from preamp.settings import Settings
from preamp.store.stores import Stores

ROUND_SECONDS = 3600.0
_log = logging.getLogger(__name__)


async def keep_clean(stores: Stores, settings: Settings, clock: SteadyClock) -> None:
    """Once an hour, and for the first time after an hour, until cancelled."""
    while True:
        await asyncio.sleep(ROUND_SECONDS)
        try:
            found = await asyncio.to_thread(collect_garbage, stores, settings, now=clock())
        except Exception:  # noqa: BLE001 (whatever it is, the next round is due all the same)
            _log.exception("cleaning failed; it is tried again in an hour")
        else:
            _tell(found)


def _tell(found: Collected) -> None:
    expired = found.expired
    counts = len(expired.jobs), len(expired.releases), len(found.blobs.blobs)
    if any(counts):
        _log.info("removed %s jobs, %s releases and %s files (%s bytes)", *counts, found.blobs.size)
