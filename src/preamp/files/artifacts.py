"""GET of a job's output or test artifacts as one zip, made from blobs while it is sent: nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from preamp.aws.presign import FileClaim
from preamp.files.http import FileError, Scope, Send, body, start
from preamp.files.links import read_artifacts
from preamp.files.zips import Member, archive_members, blob_members, text_member, zip_chunks
from preamp.model.deploy_manifest import FILE_NAME, STATIC_FOLDER
from preamp.model.releases import Manifest, Release
from preamp.store import artifacts, jobs, releases
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.manifests import read_manifest


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
    await _send_zip("artifacts.zip", _members(manifest, blobs), release.created_ms, scope, send)


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
    await _send_zip("test-artifacts.zip", blob_members(files, blobs), created_ms, scope, send)


def _members(manifest: Manifest, blobs: BlobStore) -> Iterator[Member]:
    """The output as it was: with a server it is in its archive, with routes alone the files are put back."""
    if manifest.compute is not None:
        yield from archive_members(manifest.compute.archive.blob, blobs)
        return
    text = manifest.deploy_manifest
    folder = f"{STATIC_FOLDER}/" if text is not None else ""
    yield from blob_members({folder + path: file.body.blob for path, file in manifest.files.items()}, blobs)
    if text is not None:
        yield text_member(FILE_NAME, text)


async def _send_zip(name: str, members: Iterator[Member], time_ms: int, scope: Scope, send: Send) -> None:
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
        chunks = zip_chunks(members, time_ms=time_ms)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            await body(send, chunk, more=True)
    await body(send, b"")
