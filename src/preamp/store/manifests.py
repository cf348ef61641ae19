"""Manifests as blobs: written when a release is published, read by every edge that serves it."""

from __future__ import annotations

import msgspec

from preamp.model.errors import DependentServiceFailure
from preamp.model.releases import Body, Manifest
from preamp.store import documents
from preamp.store.blobs import BlobStore

VERSION = 1
"""The newest form that this program reads, and the one it writes."""


class ManifestError(Exception):
    """A manifest cannot be read: gone, damaged or written by a newer Preamp."""


def write_manifest(blobs: BlobStore, manifest: Manifest) -> Body:
    """Equal manifests are one blob. Call `blobs.sync()` before a row refers to it."""
    blob = blobs.put_bytes(documents.encode(manifest).encode())
    return Body(blob=blob.name, size=blob.size)


def read_manifest(blobs: BlobStore, body: Body) -> Manifest:
    """Raises ManifestError."""
    try:
        data = blobs.read(body.blob)
    except (OSError, DependentServiceFailure) as error:
        reason = getattr(error, "strerror", None) or error
        raise ManifestError(f"the manifest {body.blob} cannot be read: {reason}") from error
    try:
        manifest = documents.decode(data, Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"the manifest {body.blob} is damaged: {error}") from error
    if manifest.version > VERSION:
        raise ManifestError(
            f"the manifest {body.blob} has version {manifest.version}, this Preamp reads up to {VERSION}: "
            "upgrade Preamp"
        )
    return manifest
