"""The blob store: bytes named by their SHA-256."""

from preamp.store.blobs.local import Blob, LocalBlobs

__all__ = ["Blob", "LocalBlobs"]
