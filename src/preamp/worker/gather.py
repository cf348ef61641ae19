"""The files of a manual deployment, wherever they come from, in one folder."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from preamp.build.threads import in_thread
from preamp.model.jobs import Job, SourceUrlType
from preamp.model.sources import SourceUrlError, parse_source
from preamp.release.errors import ArchiveError
from preamp.release.publish import Limits
from preamp.release.unpack import unpack
from preamp.settings import Settings
from preamp.store import uploads
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.worker.collect import collect
from preamp.worker.fetch import fetch
from preamp.worker.saving import SourceError
from preamp.worker.steps import StepLog


@dataclass(frozen=True, kw_only=True, slots=True)
class Gatherer:
    """One for the worker."""

    database: Database
    blobs: BlobStore
    settings: Settings

    async def __call__(self, job: Job, output: Path, *, scratch: Path, log: StepLog) -> None:
        """Fill the empty folder `output`. Raises ReleaseError; nothing is written any more then."""
        limits = Limits(max_bytes=self.settings.max_release_bytes, max_files=self.settings.max_release_files)
        if job.source_url is None:
            found = await asyncio.to_thread(self._uploads, job)
            warnings = await in_thread(collect, found, output, blobs=self.blobs, limits=limits)
        else:
            warnings = await self._fetched(job, job.source_url, output, scratch, log, limits)
        for warning in warnings:
            log.warning(warning)

    def _uploads(self, job: Job) -> list[uploads.Upload]:
        with self.database.read() as conn:
            return uploads.list_uploads(conn, job.branch_id, job.number)

    async def _fetched(
        self, job: Job, url: str, output: Path, scratch: Path, log: StepLog, limits: Limits
    ) -> tuple[str, ...]:
        try:
            source = parse_source(url, job.source_url_type or SourceUrlType.ZIP)
        except SourceUrlError as error:
            raise SourceError(str(error)) from error
        log.info(f"Fetching {source.shown}")
        archive = await fetch(source, output, scratch=scratch, settings=self.settings)
        if archive is None:
            return ()
        log.info(f"Fetched {archive.stat().st_size} bytes")
        try:
            return (await in_thread(unpack, archive, output, limits=limits)).warnings
        except ArchiveError as error:
            raise ArchiveError(f"{source.shown}: {error}") from error
