"""What a worker does each second besides running jobs: live, see who died, take over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from preamp.engine.dispatch import Dispatcher
from preamp.engine.liveness import LOOK_SECONDS, Liveness
from preamp.engine.recover import give_up, recover, unheld
from preamp.model.times import now_ms
from preamp.store.database import Database

_log = logging.getLogger(__name__)
FENCE_SECONDS = 0.25
UNHELD = "The connection to the database was lost {lost} times in the moment when this job began or ended."


async def keep_watch(database: Database, liveness: Liveness, dispatcher: Dispatcher) -> None:
    """Until cancelled. More than once: a predecessor that is being killed may still be alive when this
    worker starts."""
    failing = False
    while True:
        try:
            await _look_once(database, liveness, dispatcher)
            failing = False
        except Exception as error:  # noqa: BLE001 (whatever it is must not end the watch for good)
            if not failing:
                _log.exception("the other workers cannot be seen (%s); it is tried again", error)
            failing = True
        await asyncio.sleep(LOOK_SECONDS)


async def _look_once(database: Database, liveness: Liveness, dispatcher: Dispatcher) -> None:
    await asyncio.to_thread(liveness.look)
    me = dispatcher.worker_id
    await asyncio.to_thread(recover, database, liveness, worker_id=me, now=now_ms())
    ours = dispatcher.held()
    for attempt in await asyncio.to_thread(unheld, database, worker_id=me, ours=ours):
        # Claimed since `ours` was taken: then somebody does run it.
        if attempt.branch_id not in dispatcher.held():
            await asyncio.to_thread(give_up, database, attempt, reason=UNHELD, now=now_ms())


async def keep_fenced(liveness: Liveness, dispatcher: Dispatcher) -> None:
    """Stop our builds before others start them again, until cancelled."""
    fenced = False
    while True:
        if liveness.must_stop():
            if not fenced:
                _log.error("the database is out of reach for too long: running builds are stopped")
            fenced = True
            dispatcher.cut_all()
        else:
            fenced = False
        await asyncio.sleep(FENCE_SECONDS)


async def while_leader(liveness: Liveness, work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run `work`, which has no end, in one worker of all, until cancelled."""
    task: asyncio.Task[None] | None = None
    try:
        while True:
            if liveness.is_leader() and task is None:
                task = asyncio.create_task(work())
            elif task is not None and not liveness.is_leader():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                task = None
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
