"""Files that a job left beside its release: what its tests made, and a picture of its page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ArtifactKind(StrEnum):
    TEST = "TEST"  # a screenshot, a video or another file of the test step
    TEST_CONFIG = "TEST_CONFIG"  # the test report that `configFilePath` names
    SCREENSHOT = "SCREENSHOT"  # the page, as the verify step saw it


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A stored artifact."""

    branch_id: int
    number: int
    """Of the job."""
    ordinal: int
    """Counts the job's artifacts from 0."""
    kind: ArtifactKind
    file_name: str
    blob: str
    """SHA-256, lower-case hexadecimal."""
    size: int
    """Bytes."""
