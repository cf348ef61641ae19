"""The blob store: bytes named by their SHA-256."""

from preamp.store.blobs.base import Blob, BlobStore, BlobWriter, StoredBlob
from preamp.store.blobs.local import LocalBlobs

__all__ = ["Blob", "BlobStore", "BlobWriter", "LocalBlobs", "StoredBlob"]
