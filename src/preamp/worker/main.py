"""The worker process: recovers what was left, then runs jobs until it is told to stop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
from collections.abc import Callable

from preamp.background import Background
from preamp.build import mounts
from preamp.build.sandbox.probe import probe
from preamp.build.workspace import sweep
from preamp.engine.clock import SteadyClock
from preamp.engine.dispatch import Dispatcher
from preamp.engine.liveness import BeatLiveness, Liveness, ProcessLiveness
from preamp.engine.wakeups import DistributedListener, WakeupListener
from preamp.engine.watch import keep_fenced, keep_watch, while_leader
from preamp.settings import Settings
from preamp.store import workers
from preamp.store.counters import keep_written
from preamp.store.database import Database
from preamp.store.folder import DataFolder, FolderError
from preamp.store.stores import load_master, open_stores
from preamp.store.workers import Worker
from preamp.tracing import open_tracing
from preamp.worker.chores import keep_house
from preamp.worker.cleaning import keep_clean
from preamp.worker.domains import DomainWatch
from preamp.worker.pictures import Photographer
from preamp.worker.reach import Reach
from preamp.worker.run_job import DEPLOY_PREFIX, JobRunner
from preamp.worker.target import build_folders
from preamp.worker.traced_jobs import TracedJobs
from preamp.worker.trial import ServerTrial
from preamp.worker.unpacked import CacheUnpacker

_log = logging.getLogger(__name__)


async def run_worker(settings: Settings, *, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Run jobs until `stop` is set, then drain.

    Raises FolderError when another worker uses the data folder.
    """
    mounts.isolate()  # before there are threads
    folder = DataFolder(settings.data)
    lock = _only_worker(folder)
    stores = open_stores(settings)
    database = stores.database
    if database.is_shared:
        # A job goes on when the database comes back before others may take it over.
        database.patience_s = settings.lease_seconds
    loop = asyncio.get_running_loop()
    tracing = open_tracing("worker")
    try:
        worker = workers.this_worker()
        liveness = _liveness(database, worker, settings)
        liveness.enter()
        await asyncio.to_thread(_sweep, folder)
        stores.logs.ship_leftovers()
        sandbox = await asyncio.to_thread(probe, insecure_no_sandbox=settings.insecure_no_sandbox)
        pictures = Photographer(
            database=database,
            blobs=stores.blobs,
            sandbox=sandbox,
            folders=build_folders(folder),
            wanted=settings.screenshots,
        )
        unpacker = CacheUnpacker(
            sandbox=sandbox, folders=build_folders(folder), max_bytes=settings.cache_snapshot_bytes
        )
        dispatcher = Dispatcher(
            database=database,
            worker_id=worker.worker_id,
            slots=settings.worker_slots,
            concurrent_jobs=settings.concurrent_jobs,
            run=JobRunner(
                database=database,
                folder=folder,
                settings=settings,
                sandbox=sandbox,
                master=load_master(settings),
                blobs=stores.blobs,
                pictures=pictures,
                trial=ServerTrial(
                    database=database,
                    folder=folder,
                    settings=settings,
                    sandbox=sandbox,
                    blobs=stores.blobs,
                ),
                unpacked=unpacker,
                logs=stores.logs,
            ),
        )
        if tracing is not None:
            dispatcher.run = TracedJobs(run=dispatcher.run, database=database, tracing=tracing)
        listener = _listener(settings, folder, dispatcher)
        listener.start(loop)
        reach = Reach(settings.edge_hosts)
        async with Background(stop) as background:
            for what, work in (
                ("watching the other workers", keep_watch(database, liveness, dispatcher)),
                ("fencing", keep_fenced(liveness, dispatcher)),
                ("counting", keep_written(folder.run, "worker", before=dispatcher.count)),
                (
                    "watching domains",
                    while_leader(liveness, lambda: DomainWatch(database, reach).keep_watching()),
                ),
                ("collecting", while_leader(liveness, lambda: keep_clean(stores, settings, SteadyClock()))),
                (
                    "housekeeping",
                    keep_house(database, stores.access_logs, access_log_days=settings.access_log_days),
                ),
                ("taking pictures", pictures.keep_taking()),
                ("unpacking caches", unpacker.keep_unpacking()),
            ):
                background.add(what, work)
            dispatch = background.add("running jobs", dispatcher.main())
            ready()
            await stop.wait()
            dispatcher.drain(settings.drain_seconds)
            await dispatch
        listener.close(loop)
        liveness.leave()
    finally:
        if tracing is not None:
            tracing.close()
        stores.close()
        os.close(lock)


def _liveness(database: Database, worker: Worker, settings: Settings) -> Liveness:
    if database.is_shared:
        return BeatLiveness(database, worker, settings.lease_seconds)
    return ProcessLiveness(database, worker)


def _listener(
    settings: Settings, folder: DataFolder, dispatcher: Dispatcher
) -> WakeupListener | DistributedListener:
    if settings.database is not None:
        return DistributedListener(settings.database, dispatcher.wake)
    return WakeupListener(folder.run, dispatcher.wake)


def _only_worker(folder: DataFolder) -> int:
    """A lock that is held as long as this process lives."""
    fd = os.open(folder.run / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise FolderError(
            f"another worker uses the data folder {folder.root}: with a database for many machines, give "
            "each worker a folder of its own with --data; without one there is only one worker"
        ) from None
    return fd


def _sweep(folder: DataFolder) -> None:
    """Remove work folders of dead runs; the lock says that none is alive."""
    for leftover in folder.workspaces.glob(f"{DEPLOY_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in sweep(build_folders(folder)):
        _log.info("removed the work folder of a dead build: %s", leftover)
