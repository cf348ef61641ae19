"""A release: the immutable published output of a successful job.

The manifest is one JSON blob, so that an edge process reads a release with a single read and two
releases that share files share their blobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from preamp.model.bodies import Body as Body
from preamp.model.compute import Compute


class Encoding(StrEnum):
    """Content codings that are made at publish time, named as in `Content-Encoding`."""

    BROTLI = "br"  # quality 5
    GZIP = "gzip"  # level 6


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A published file and its precompressed twins (only those that came out smaller)."""

    body: Body
    content_type: str
    encodings: Mapping[Encoding, Body] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything the edge needs to serve a release."""

    version: int = 1
    """Of this format; a reader refuses a higher one."""
    files: Mapping[str, File] = field(default_factory=dict)
    """By path without a leading slash, decoded, such as `assets/app.js`."""
    custom_headers: str | None = None
    """Of customHttp.yml, or the app's, frozen at publish time: `model.custom_headers.normalised` text."""
    deploy_manifest: str | None = None
    """The text of deploy-manifest.json, when its routes decide what answers a path."""
    compute: Compute | None = None
    """The server that Compute routes lead to; None: the release has files only."""

    @property
    def bodies(self) -> Iterator[Body]:
        """Everything in the blob store that the release needs; may name one twice."""
        for file in self.files.values():
            yield file.body
            yield from file.encodings.values()
        if self.compute is not None:
            yield self.compute.archive


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A stored release."""

    release_id: str
    branch_id: int
    job: int
    manifest: Body
    file_count: int
    total_bytes: int
    """Of the files themselves, without their compressed twins."""
    created_ms: int
