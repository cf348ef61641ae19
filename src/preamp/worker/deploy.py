"""DEPLOY and VERIFY: from a folder of files to a release that may be served."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from preamp.build.threads import in_thread
from preamp.model.apps import Platform
from preamp.model.ids import new_release_id, padded
from preamp.model.jobs import Attempt, StepName
from preamp.model.releases import Release
from preamp.model.times import now_ms
from preamp.release.bundle import Bundle, find_bundle
from preamp.release.publish import Limits, Published, publish
from preamp.release.verify import verify
from preamp.settings import Settings
from preamp.store.blobs import BlobStore
from preamp.worker.steps import StepLog, Steps
from preamp.worker.trial import CheckServer

MIB = 1024 * 1024


async def deploy(
    folder: Path,
    *,
    steps: Steps,
    log: StepLog,
    attempt: Attempt,
    site: str,
    platform: Platform,
    blobs: BlobStore,
    settings: Settings,
    custom_headers: str | None,
    app_root: str | None,
    check_server: CheckServer | None = None,
) -> Release:
    """Publish `folder` and check what was stored; nothing is served yet.

    `log` is the open DEPLOY step's. check_server: tries the server of a release that has one. Raises
    ReleaseError.
    """
    log.info(f"Beginning deployment for {site}, buildId {padded(attempt.number)}")
    warnings: list[str] = []
    try:
        bundle = await in_thread(find_bundle, folder, platform=platform, warn=warnings.append)
    finally:
        for warning in warnings:
            log.warning(warning)
    published = await _publish(
        folder,
        blobs=blobs,
        bundle=bundle,
        limits=Limits(
            max_bytes=settings.max_release_bytes,
            max_files=settings.max_release_files,
            max_compute_bytes=settings.max_compute_bytes,
        ),
        custom_headers=custom_headers,
        app_root=app_root,
    )
    if bundle is not None:
        framework = bundle.manifest.framework
        log.info(f"The output is a bundle of {framework.name} {framework.version}.")
    if compute := published.manifest.compute:
        log.info(
            f"Packed its server, {compute.entrypoint} for {compute.runtime}: {compute.archive.size} bytes"
        )
    log.info(
        f"Published {published.file_count} files, {published.total_bytes} bytes, "
        f"and {published.twin_count} compressed twins"
    )
    log.info("Deployment finished.")
    log = await steps.begin(StepName.VERIFY)
    for warning in await asyncio.to_thread(verify, blobs, published.manifest):
        log.warning(warning)
    log.info("Every file of the release is stored and complete.")
    if check_server is not None and published.manifest.compute is not None:
        await check_server(published.manifest.compute, log)
    return Release(
        release_id=new_release_id(),
        branch_id=attempt.branch_id,
        job=attempt.number,
        manifest=published.manifest_body,
        file_count=published.file_count,
        total_bytes=published.total_bytes,
        created_ms=now_ms(),
    )


class _Abandoned(Exception):
    """The job was cut while a thread published."""


async def _publish(
    folder: Path,
    *,
    blobs: BlobStore,
    bundle: Bundle | None,
    limits: Limits,
    custom_headers: str | None,
    app_root: str | None,
) -> Published:
    abandoned = threading.Event()

    def check() -> None:
        if abandoned.is_set():
            raise _Abandoned

    work = asyncio.get_running_loop().run_in_executor(
        None,
        lambda: publish(
            folder,
            blobs=blobs,
            limits=limits,
            bundle=bundle,
            custom_headers=custom_headers,
            app_root=app_root,
            tick=check,
        ),
    )
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # The thread still reads the folder, which is removed next: let it end first.
        abandoned.set()
        await asyncio.wait([work])
        work.exception()
        raise
