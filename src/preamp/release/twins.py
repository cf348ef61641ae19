"""Compressed twins of a file: brotli 5 and gzip 6, made once and kept when smaller."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

import brotli

from preamp.model.releases import Body, Encoding
from preamp.store.blobs import BlobStore
from preamp.store.twins import TwinIndex

RECIPE = "br5-gzip6"
SMALLEST = 1024
"""Bytes; below that an answer fits one packet anyway."""
LARGEST = 64 * 1024 * 1024
"""Bytes; compressed in memory, and a larger file is a download rather than a part of a page."""


def twins_of(blobs: BlobStore, index: TwinIndex, source: Body) -> Mapping[Encoding, Body]:
    """The twins of a stored file that are smaller than it. Raises OSError when the disk is full."""
    if not SMALLEST <= source.size <= LARGEST:
        return {}
    known = index.find(source.blob)
    if known is not None:
        return known
    data = blobs.read(source.blob)
    made = {
        Encoding.BROTLI: brotli.compress(data, quality=5),
        # A fixed time in the header: the same source gives the same twin.
        Encoding.GZIP: gzip.compress(data, compresslevel=6, mtime=0),
    }
    twins = {}
    for encoding, packed in made.items():
        if len(packed) < source.size:
            blob = blobs.put_bytes(packed)
            twins[encoding] = Body(blob=blob.name, size=blob.size)
    index.remember(source.blob, twins)
    return twins
