"""Server-side rendering: the part of a release that runs (behaviour reference, section 8)."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.model.bodies import Body


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """A server of a release, packed at publish time, and how it is started."""

    archive: Body
    """A zstd-compressed tar of the whole bundle: some servers read their static files themselves."""
    name: str
    """Of the compute resource; the server runs in the folder `compute/{name}`."""
    entrypoint: str
    """The file that Node runs, relative to that folder."""
    runtime: str
    """As the manifest has it, such as `nodejs22.x`."""
    total_bytes: int
    """Of the unpacked bundle."""
    file_count: int
