"""A switch: a branch was made to serve another release by hand, without a job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SwitchKind(StrEnum):
    ROLLBACK = "ROLLBACK"  # to another release of the same branch
    PROMOTE = "PROMOTE"  # to the release of another branch of the app


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A stored switch."""

    branch_id: int
    kind: SwitchKind
    from_job: int | None
    """What was served before; None: nothing."""
    to_job: int
    """What is served since. Of a promotion: the number that the release got in this branch."""
    source_branch: str | None
    """Of a promotion."""
    source_job: int | None
    """Of a promotion: its number in the source branch."""
    actor: str
    """The access key id of the caller."""
    at_ms: int
