"""What an edge reads: which app and branch a host means, and what is served there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from preamp.model.apps import AppConfig
from preamp.model.branches import BranchConfig
from preamp.model.releases import Body
from preamp.store import documents
from preamp.store.tables import apps, branches, releases


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One branch as the edge serves it."""

    app_id: str
    branch_id: int
    branch_name: str
    label: str
    app: AppConfig
    branch: BranchConfig
    release_id: str | None
    """None until the first successful job."""
    job: int | None
    manifest: Body | None


def sites_of_app(conn: Connection, app_id: str) -> Mapping[str, Site]:
    """The branches of an app by label; empty when there is no such app."""
    rows = conn.execute(
        select(
            branches,
            apps.c.config.label("app_config"),
            releases.c.manifest_blob,
            releases.c.manifest_size,
        )
        .join(apps, apps.c.app_id == branches.c.app_id)
        .outerjoin(releases, releases.c.release_id == branches.c.active_release)
        .where(branches.c.app_id == app_id)
    ).mappings()
    return {row["label"]: _site(row) for row in rows}


def _site(row: RowMapping) -> Site:
    blob = row["manifest_blob"]
    return Site(
        app_id=row["app_id"],
        branch_id=row["branch_id"],
        branch_name=row["name"],
        label=row["label"],
        app=documents.decode(row["app_config"], AppConfig),
        branch=documents.decode(row["config"], BranchConfig),
        release_id=row["active_release"],
        job=row["active_job"],
        manifest=Body(blob=blob, size=row["manifest_size"]) if blob else None,
    )
