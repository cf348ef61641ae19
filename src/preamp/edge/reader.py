"""Reading sites from the database and the blobs. Blocking: the table calls it in a thread."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from preamp.edge.content import Content
from preamp.edge.guard import Guard
from preamp.edge.hosts import split_release_label
from preamp.edge.rules.book import RuleBook
from preamp.edge.site import LoadedSite, credentials_of
from preamp.edge.skew import Earlier
from preamp.model.deploy_manifest import DeployManifestError
from preamp.model.releases import Body, Release
from preamp.store import changes
from preamp.store.blobs import BlobStore
from preamp.store.database import Database
from preamp.store.hosting import CustomHost, Site, site_of_host, sites_of_app
from preamp.store.manifests import ManifestError, read_manifest
from preamp.store.releases import get_release, get_release_of_job, releases_beside

log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class AppSites:
    """The sites of one app as of one moment."""

    app_id: str
    sites: Mapping[str, Site]
    rules: RuleBook
    read_at: float
    """On the monotonic clock, seconds."""
    loaded: dict[str, LoadedSite] = field(default_factory=dict)
    """By host label; filled as they are asked for."""

    @property
    def file_count(self) -> int:
        """Of all releases in memory."""
        contents = {
            content.manifest: len(content.files)
            for site in self.loaded.values()
            for content in (site.content, *(release.content for release in site.earlier))
            if content is not None
        }
        return sum(contents.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What the change log says."""

    seq: int
    """The newest entry."""
    apps: frozenset[str]
    everything: bool
    """The log does not tell all: it was pruned past our place, or is another database's."""


class SiteReader:
    """Every method raises SQLAlchemyError or OSError when the database is away."""

    def __init__(self, database: Database, blobs: BlobStore, *, skew_releases: int = 5) -> None:
        self._database = database
        self._blobs = blobs
        self._skew_releases = skew_releases

    def latest(self) -> int:
        with self._database.read() as conn:
            return changes.latest(conn)

    def changed_since(self, seq: int) -> Changes:
        with self._database.read() as conn:
            newest = changes.latest(conn)
            if newest == seq:
                return Changes(seq=seq, apps=frozenset(), everything=False)
            rows = changes.since(conn, seq) if newest > seq else []
            gap = not rows or rows[0][0] != seq + 1
            return Changes(seq=newest, apps=frozenset(app for _, app in rows), everything=gap)

    def find_host(self, host: str) -> CustomHost | None:
        """The site at a custom host, in lower case and without port."""
        with self._database.read() as conn:
            return site_of_host(conn, host)

    def read_app(self, app_id: str, *, now: float, before: AppSites | None = None) -> AppSites:
        """Rules that did not change are not compiled again."""
        with self._database.read() as conn:
            sites = sites_of_app(conn, app_id)
        source = next(iter(sites.values())).app.custom_rules if sites else ()
        rules = before.rules if before and before.rules.source == source else RuleBook(source)
        return AppSites(app_id=app_id, sites=sites, rules=rules, read_at=now)

    def load(self, app: AppSites, label: str, *, before: LoadedSite | None = None) -> LoadedSite | None:
        """None when the app has no such site. Raises ManifestError when the release cannot be read."""
        with self._database.read() as conn:
            site = _resolve(conn, app, label)
            release = get_release(conn, site.release_id) if site and site.release_id else None
            protected = site is not None and site.branch.enable_skew_protection and label in app.sites
            older = (
                releases_beside(conn, site.branch_id, job=site.job, limit=self._skew_releases)
                if site and protected and site.job is not None
                else []
            )
        if site is None:
            return None
        return LoadedSite(
            app_id=app.app_id,
            label=label,
            site=site,
            content=self._content(site.manifest, _known(before)) if site.manifest else None,
            modified_ms=release.created_ms if release else 0,
            rules=app.rules,
            credentials=credentials_of(site),
            guard=Guard(site.app_hosting.access, site.branch_hosting.access),
            earlier=tuple(self._earlier(older, _known(before))),
        )

    def _content(self, manifest: Body, known: Mapping[Body, Content]) -> Content:
        found = known.get(manifest)
        if found is not None:
            return found
        try:
            return Content(manifest, read_manifest(self._blobs, manifest))
        except DeployManifestError as error:
            raise ManifestError(
                f"the routes of the manifest {manifest.blob} cannot be read: {error}"
            ) from error

    def _earlier(self, older: Sequence[Release], known: Mapping[Body, Content]) -> Iterator[Earlier]:
        for release in older:
            try:
                content = self._content(release.manifest, known)
            except ManifestError as error:
                # The site itself can be served; only tabs that were opened long ago miss something.
                log.error("the assets of job %s are not reachable: %s", release.job, error)
                continue
            yield Earlier(job=release.job, content=content, modified_ms=release.created_ms)


def _known(before: LoadedSite | None) -> Mapping[Body, Content]:
    """What need not be read again: a release never changes."""
    if before is None:
        return {}
    found = [before.content, *(release.content for release in before.earlier)]
    return {content.manifest: content for content in found if content is not None}


def _resolve(conn: Connection, app: AppSites, label: str) -> Site | None:
    site = app.sites.get(label)
    if site is not None:
        return site
    named = split_release_label(label)
    base = app.sites.get(named[1]) if named else None
    if named is None or base is None:
        return None
    release = get_release_of_job(conn, base.branch_id, named[0])
    if release is None:
        return None
    return replace(base, release_id=release.release_id, job=release.job, manifest=release.manifest)
