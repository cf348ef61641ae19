"""PUT of a manual deployment's file: streamed into the blob store, noted only when whole and durable."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from dataclasses import dataclass

from preamp.aws.presign import FileClaim
from preamp.files.http import FileError, Receive, Scope, Send, answer_text, header
from preamp.files.links import UploadTarget, read_upload
from preamp.model.jobs import JobState
from preamp.model.times import now_ms
from preamp.store import jobs, uploads
from preamp.store.blobs import Blob, BlobStore, BlobWriter
from preamp.store.database import Database

_BATCH = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadLimits:
    max_bytes: int
    min_free_bytes: int


class _Gone(Exception):
    """The client went away before the body was complete; there is nobody to answer."""


async def receive_upload(
    database: Database,
    blobs: BlobStore,
    limits: UploadLimits,
    claim: FileClaim,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Raises FileError: 403 the deployment takes no uploads any more, 400 wrong MD5 or length,
    413 too large, 507 disk full. What was stored before under the same URL stays then.
    """
    target = read_upload(claim)
    expected = await asyncio.to_thread(_expected, database, target)
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit():
        _check_size(int(declared), limits)
        if blobs.free_bytes() - int(declared) < limits.min_free_bytes:
            raise _full()
    try:
        with blobs.incoming() as writer:
            digest = await _stream(receive, writer, limits)
            if expected.md5 is not None and digest != expected.md5:
                raise FileError(400, f"The uploaded bytes have MD5 {digest}, announced was {expected.md5}")
            blob = await asyncio.to_thread(writer.finish, durable=True)
    except _Gone:
        return
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full() from error
        raise
    await asyncio.to_thread(_note, database, target, blob)
    await answer_text(send, 200, "", {"etag": f'"{digest}"'})


def _expected(database: Database, target: UploadTarget) -> uploads.Upload:
    with database.read() as conn:
        job = jobs.get_job(conn, target.branch_id, target.number)
        upload = uploads.get_upload(conn, target.branch_id, target.number, target.ordinal)
    if job is None or upload is None or job.state is not JobState.CREATED:
        raise _closed()
    return upload


def _note(database: Database, target: UploadTarget, blob: Blob) -> None:
    with database.write() as tx:
        job = jobs.get_job(tx.conn, target.branch_id, target.number)
        if job is None or job.state is not JobState.CREATED:
            raise _closed()
        uploads.receive(tx.conn, target.branch_id, target.number, target.ordinal, blob, now=now_ms())


async def _stream(receive: Receive, writer: BlobWriter, limits: UploadLimits) -> str:
    """Write the body; returns its MD5, which is what S3 clients compare."""
    digest = hashlib.md5(usedforsecurity=False)
    pending = bytearray()

    def flush(data: bytes) -> None:
        digest.update(data)
        writer.write(data)

    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        pending += message.get("body", b"")
        more = message.get("more_body", False)
        _check_size(writer.size + len(pending), limits)
        if len(pending) >= _BATCH or not more:
            await asyncio.to_thread(flush, bytes(pending))
            pending.clear()
    return digest.hexdigest()


def _check_size(size: int, limits: UploadLimits) -> None:
    if size > limits.max_bytes:
        raise FileError(
            413, f"An upload may have at most {limits.max_bytes} bytes (the setting max_upload_bytes)"
        )


def _closed() -> FileError:
    return FileError(403, "This deployment takes no uploads: it was started, stopped or deleted")


def _full() -> FileError:
    return FileError(507, "The disk of Preamp's data folder is full; nothing was stored")
