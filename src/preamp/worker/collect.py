"""Gather the files of a manual deployment in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from preamp.release.errors import ReleaseError
from preamp.release.publish import Limits
from preamp.release.unpack import unpack
from preamp.store.blobs import BlobStore
from preamp.store.uploads import ZIP, Upload

ARCHIVE = "upload.zip"
_NOT_UPLOADED = (
    "Deployment file has not been uploaded, please make sure you uploaded the deployment file prior to "
    "invoke this api"
)


def collect(uploads: Sequence[Upload], folder: Path, *, blobs: BlobStore, limits: Limits) -> tuple[str, ...]:
    """Fill the empty `folder` with what was uploaded: one zip, or the files of a file map. The zip lies
    beside the folder meanwhile.

    Returns warnings. Raises ReleaseError naming what is missing or refused. Blocking.
    """
    for upload in uploads:
        if upload.blob is None:
            raise ReleaseError(_NOT_UPLOADED + (f": {upload.path}" if upload.path else ""))
    if [upload.path for upload in uploads] == [ZIP]:
        blob = uploads[0].blob
        assert blob is not None, "checked above"
        archive = folder.with_name(ARCHIVE)
        blobs.link(blob.name, archive)
        return unpack(archive, folder, limits=limits).warnings
    for upload in uploads:
        assert upload.blob is not None, "checked above"
        target = folder / upload.path
        target.parent.mkdir(parents=True, exist_ok=True)
        # The same file system, and publishing only reads.
        blobs.link(upload.blob.name, target)
    return ()
