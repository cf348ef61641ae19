"""Write the end of an attempt down, however long the database takes to accept it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from preamp.model.errors import DependentServiceFailure

_log = logging.getLogger(__name__)
RETRY_SECONDS = 1.0


async def settle(write: Callable[[], bool]) -> bool:
    """What `write` returns, once it does not raise: a full disk or an absent database is waited out.

    A job whose work is over must not stay RUNNING because its last write came at a bad moment; for the same
    reason a cancellation does not end this.
    """
    settling = asyncio.create_task(_settle(write))
    while True:
        try:
            return await asyncio.shield(settling)
        except asyncio.CancelledError:
            if settling.cancelled():
                raise


async def _settle(write: Callable[[], bool]) -> bool:
    while True:
        try:
            return await asyncio.to_thread(write)
        except DependentServiceFailure as error:
            _log.warning("the end of an attempt could not be written; it is tried again: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        except Exception:  # noqa: BLE001 (whatever the database says, the row must be written)
            _log.exception("the end of an attempt could not be written; it is tried again")
            await asyncio.sleep(RETRY_SECONDS)
