"""A test artifact: a file that a job's test step left, such as a screenshot or a video."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A stored artifact."""

    branch_id: int
    number: int
    """Of the job."""
    ordinal: int
    """Counts the job's artifacts from 0."""
    file_name: str
    blob: str
    """SHA-256, lower-case hexadecimal."""
    size: int
    """Bytes."""
