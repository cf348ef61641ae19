"""Which compressed twins a blob has, so that files that did not change cost nothing to publish again.

One small file for each source blob beside the blobs. It is a cache: losing it costs time, nothing else.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping

import msgspec

from preamp.model.releases import Body, Encoding
from preamp.store import documents
from preamp.store.blobs import BlobStore

_Twins = dict[Encoding, Body]


class TwinIndex:
    """Twins by the name of their source; safe to use from several processes.

    `recipe` names how twins are made: with another recipe all are made anew.
    """

    def __init__(self, blobs: BlobStore, *, recipe: str) -> None:
        self._blobs = blobs
        self._folder = blobs.folder / "twins" / recipe

    def find(self, source: str) -> Mapping[Encoding, Body] | None:
        """The twins worth having (maybe none), or None when that is not known."""
        try:
            twins = documents.decode((self._folder / source[:2] / source).read_bytes(), _Twins)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        known = all(self._blobs.exists(twin.blob) for twin in twins.values())
        return twins if known else None

    def remember(self, source: str, twins: Mapping[Encoding, Body]) -> None:
        """Raises OSError when the disk is full."""
        target = self._folder / source[:2] / source
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{source}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            temporary.write_text(documents.encode(twins), "utf-8")
            temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)


def known_twins(blobs: BlobStore) -> Iterator[str]:
    """The names of the twins of all blobs, whatever the recipe."""
    for path in (blobs.folder / "twins").glob("*/??/*"):
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            yield from (twin.blob for twin in documents.decode(path.read_bytes(), _Twins).values())


def forget_twins(blobs: BlobStore, source: str) -> None:
    """The source is gone: from now on its twins are blobs like all others."""
    for path in (blobs.folder / "twins").glob(f"*/{source[:2]}/{source}"):
        path.unlink(missing_ok=True)
