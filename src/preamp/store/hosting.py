"""What an edge reads: which app and branch a host means, and what is served there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from preamp.model.apps import AppConfig
from preamp.model.branches import BranchConfig
from preamp.model.domains import wildcard_of
from preamp.model.hosting import AppHosting, BranchHosting
from preamp.model.releases import Body
from preamp.store import documents
from preamp.store.tables import apps, branches, releases, subdomains

_LABEL = re.compile(r"[a-z0-9_-]{1,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One branch as the edge serves it."""

    app_id: str
    branch_id: int
    branch_name: str
    label: str
    app: AppConfig
    branch: BranchConfig
    app_hosting: AppHosting
    branch_hosting: BranchHosting
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
            apps.c.hosting.label("app_hosting"),
            releases.c.manifest_blob,
            releases.c.manifest_size,
        )
        .join(apps, apps.c.app_id == branches.c.app_id)
        .outerjoin(releases, releases.c.release_id == branches.c.active_release)
        .where(branches.c.app_id == app_id)
    ).mappings()
    return {row["label"]: _site(row) for row in rows}


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomHost:
    """What a custom host name shows: the branch labelled `label` of the app, as `sites_of_app` has it."""

    app_id: str
    label: str
    name: str
    """The host or the wildcard that was found; the name of its access log."""


def site_of_host(conn: Connection, host: str) -> CustomHost | None:
    """The branch at a custom host: lower case, no port, no final dot.

    Only names that are verified are served. A name of its own goes before a wildcard, which covers one
    label. What this answers changes only together with a row in the change log for the app.
    """
    wanted = [host]
    if _LABEL.fullmatch(host.partition(".")[0]):
        wanted.append(wildcard_of(host))
    rows = conn.execute(
        select(subdomains.c.host, branches.c.app_id, branches.c.label)
        .join(branches, branches.c.branch_id == subdomains.c.branch_id)
        .where(subdomains.c.host.in_(wanted), subdomains.c.claimed, subdomains.c.verified_ms.is_not(None))
    )
    found = {row.host: CustomHost(app_id=row.app_id, label=row.label, name=row.host) for row in rows}
    return next((found[name] for name in wanted if name in found), None)


def _site(row: RowMapping) -> Site:
    blob = row["manifest_blob"]
    return Site(
        app_id=row["app_id"],
        branch_id=row["branch_id"],
        branch_name=row["name"],
        label=row["label"],
        app=documents.decode(row["app_config"], AppConfig),
        branch=documents.decode(row["config"], BranchConfig),
        app_hosting=documents.decode(row["app_hosting"], AppHosting),
        branch_hosting=documents.decode(row["hosting"], BranchHosting),
        release_id=row["active_release"],
        job=row["active_job"],
        manifest=Body(blob=blob, size=row["manifest_size"]) if blob else None,
    )
