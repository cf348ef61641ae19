"""How much of which job would go, for whoever asks before it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from preamp.engine.retention import Expired
from preamp.store.sizes import JobSizes, app_of_branches


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """What goes of one job, in bytes; None: that stays, or there is none.

    Files that another release has too stay on the disk, so that less may become free.
    """

    app_id: str
    branch: str
    job: int
    whole: bool
    """The job itself goes, with all it has."""
    release_bytes: int | None
    log_bytes: int | None
    artifact_bytes: int | None
    """With what was uploaded for it."""


def weigh(conn: Connection, expired: Expired, sizes: Mapping[tuple[int, int], JobSizes]) -> list[Going]:
    """By app, branch and number. `sizes` are `job_sizes`, taken before anything went."""
    jobs, releases = set(expired.jobs), set(expired.releases)
    logs, artifacts = set(expired.logs), set(expired.artifacts)
    names = app_of_branches(conn)
    found = []
    for key in jobs | releases | logs | artifacts:
        branch_id, number = key
        if branch_id not in names:  # deleted since
            continue
        app_id, branch = names[branch_id]
        size, whole = sizes.get(key, JobSizes()), key in jobs
        found.append(
            Going(
                app_id=app_id,
                branch=branch,
                job=number,
                whole=whole,
                release_bytes=size.release if whole or key in releases else None,
                log_bytes=(size.logs or None) if whole or key in logs else None,
                artifact_bytes=(size.artifacts + size.uploads or None) if whole or key in artifacts else None,
            )
        )
    return sorted(found, key=lambda item: (item.app_id, item.branch, item.job))
