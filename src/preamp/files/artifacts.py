"""GET of a job's output or test artifacts as one zip, made from blobs while it is sent: nothing is stored."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from preamp.aws.presign import FileClaim
from preamp.files.http import FileError, Scope, Send, body, start
from preamp.files.links import read_artifacts
from preamp.model.releases import Manifest, Release
from preamp.store import artifacts, jobs, releases
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.manifests import read_manifest

_CHUNK = 1 << 20


async def send_artifacts(
    database: Database, blobs: BlobStore, claim: FileClaim, scope: Scope, send: Send
) -> None:
    """Raises FileError 404 when the job has no output any more."""
    branch_id, number = read_artifacts(claim)

    def look_up() -> tuple[Release, Manifest] | None:
        with database.read() as conn:
            release = releases.get_release_of_job(conn, branch_id, number)
        return (release, read_manifest(blobs, release.manifest)) if release else None

    found = await asyncio.to_thread(look_up)
    if found is None:
        raise FileError(404, "The artifacts of this job were deleted")
    release, manifest = found
    files = {path: file.body.blob for path, file in manifest.files.items()}
    await _send_zip("artifacts.zip", files, blobs, release.created_ms, scope, send)


async def send_test_artifacts(
    database: Database, blobs: BlobStore, claim: FileClaim, scope: Scope, send: Send
) -> None:
    """Raises FileError 404 when the job was deleted."""
    branch_id, number = read_artifacts(claim)

    def look_up() -> tuple[int, dict[str, str]]:
        with database.read() as conn:
            job = jobs.get_job(conn, branch_id, number)
            listed = artifacts.list_tests(conn, branch_id, number)
        return job.created_ms if job else 0, {item.file_name: item.blob for item in listed}

    created_ms, files = await asyncio.to_thread(look_up)
    if not files:
        raise FileError(404, "The test artifacts of this job were deleted")
    await _send_zip("test-artifacts.zip", files, blobs, created_ms, scope, send)


async def _send_zip(
    name: str, files: Mapping[str, str], blobs: BlobStore, time_ms: int, scope: Scope, send: Send
) -> None:
    await start(
        send,
        200,
        {
            "content-type": "application/zip",
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
    )
    if scope["method"] != "HEAD":
        chunks = zip_chunks(files, blobs, time_ms=time_ms)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            await body(send, chunk, more=True)
    await body(send, b"")


def zip_chunks(files: Mapping[str, str], blobs: BlobStore, *, time_ms: int) -> Iterator[bytes]:
    """A zip of path -> blob, in pieces of about a megabyte. Equal files of one time give equal bytes."""
    out = _Outbox()
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for path, blob in sorted(files.items()):
            info = zipfile.ZipInfo(path, date_time=moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with blobs.open(blob) as source:
                info.file_size = os.fstat(source.fileno()).st_size
                with zipped.open(info, "w") as target:
                    while data := source.read(_CHUNK):
                        target.write(data)
                        if len(out.pending) >= _CHUNK:
                            yield out.take()
    yield out.take()


class _Outbox(io.RawIOBase):
    """Where the zip writer writes: it cannot seek, so the zip is made in one pass."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self.pending += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self.pending)
        self.pending.clear()
        return data
