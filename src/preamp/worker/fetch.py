"""Fetch what a deployment's `sourceUrl` leads to, with flat memory, into the job's own folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from preamp.model.sources import BucketSource, WebSource
from preamp.settings import Settings
from preamp.worker.fetch_web import fetch_zip
from preamp.worker.saving import Guard, Room


async def fetch(
    source: WebSource | BucketSource, output: Path, *, scratch: Path, settings: Settings
) -> Path | None:
    """The zip, a new file in `scratch`; None when `output`, an empty folder, was filled instead.

    Raises SourceError, which names the source. When cancelled it returns at once, and nothing is made in
    the two folders from then on.
    """
    guard = Guard()
    return await _in_own_thread(lambda: _fetch(source, output, scratch, settings, guard), guard)


def _fetch(
    source: WebSource | BucketSource, output: Path, scratch: Path, settings: Settings, guard: Guard
) -> Path | None:
    archive = scratch / "source.zip"
    room = Room(
        max_bytes=settings.max_upload_bytes,
        setting="max_upload_bytes",
        min_free_bytes=settings.min_free_bytes,
    )
    if isinstance(source, WebSource):
        fetch_zip(source, archive, room=room, allow_private=settings.allow_private_sources, guard=guard)
        return archive
    # Few workers ever need it, and loading it takes longer than all the rest.
    from preamp.worker.fetch_s3 import fetch_object, fetch_prefix

    if source.is_prefix:
        fetch_prefix(source, output, settings=settings, guard=guard)
        return None
    fetch_object(source, archive, room=room, settings=settings, guard=guard)
    return archive


async def _in_own_thread(work: Callable[[], Path | None], guard: Guard) -> Path | None:
    """A thread that ends with the process: a silent server cannot keep the worker from stopping."""
    future: Future[Path | None] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 (it is raised again where it is waited for)
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="fetch", daemon=True).start()
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        guard.close()
        raise
