"""GET of a file that a job's test step left: a screenshot, a video, a report."""

from __future__ import annotations

import asyncio
import mimetypes
from urllib.parse import quote

from preamp.aws.presign import FileClaim
from preamp.files.http import FileError, Scope, Send, body, range_of, start
from preamp.files.links import read_test_artifact
from preamp.model.artifacts import Artifact
from preamp.store import artifacts
from preamp.store.blobs import BlobStore
from preamp.store.database import Database

_CHUNK = 1 << 18


async def send_test_artifact(
    database: Database, blobs: BlobStore, claim: FileClaim, scope: Scope, send: Send
) -> None:
    """Raises FileError 404 when the job was deleted, 416 for a range behind the end."""
    target = read_test_artifact(claim)

    def look_up() -> Artifact | None:
        with database.read() as conn:
            return artifacts.get_artifact(conn, target.branch_id, target.number, target.ordinal)

    artifact = await asyncio.to_thread(look_up)
    if artifact is None:
        raise FileError(404, "The test artifacts of this job were deleted")
    try:
        file = await asyncio.to_thread(blobs.open, artifact.blob)
    except FileNotFoundError:
        raise FileError(404, "The test artifacts of this job were deleted") from None
    with file:
        wanted = range_of(scope, artifact.size)
        first, end = wanted or (0, artifact.size)
        await start(send, 206 if wanted else 200, _headers(artifact, wanted, end - first))
        file.seek(first)
        left = end - first
        while left and scope["method"] != "HEAD":
            data = await asyncio.to_thread(file.read, min(_CHUNK, left))
            if not data:
                raise OSError(f"the blob {artifact.blob} is shorter than its row says")
            left -= len(data)
            await body(send, data, more=True)
        await body(send, b"")


def _headers(artifact: Artifact, wanted: tuple[int, int] | None, length: int) -> dict[str, str]:
    name = artifact.file_name.rsplit("/", 1)[-1]
    kind, encoding = mimetypes.guess_type(name)
    headers = {
        "content-type": kind if kind and encoding is None else "application/octet-stream",
        "content-length": str(length),
        "content-disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        # A build wrote it: a page among the artifacts must not act as a page of the control port.
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
    }
    if wanted:
        headers["content-range"] = f"bytes {wanted[0]}-{wanted[1] - 1}/{artifact.size}"
    return headers
