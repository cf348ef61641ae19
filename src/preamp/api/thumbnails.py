"""Pictures of what branches serve, as branches and apps show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from preamp.api.services import Services
from preamp.model.branches import Branch
from preamp.model.caller import Caller
from preamp.store import artifacts


def thumbnails(
    services: Services, caller: Caller, conn: Connection, rows: Sequence[Branch]
) -> Mapping[int, str]:
    """Presigned URLs by branch id, where there is a picture."""
    served = [(branch.branch_id, branch.active_job) for branch in rows if branch.active_job is not None]
    return {
        key[0]: services.links.test_artifact(caller.endpoint, *key, picture.ordinal)
        for key, picture in artifacts.screenshots_of(conn, served).items()
    }
