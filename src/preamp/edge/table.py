"""The sites an edge process knows, kept right by following the change log.

Everything here runs on the event loop's thread except what `SiteReader` does, so that a site is
replaced and its prepared answers are dropped in one step. What is known is served on when the database
is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from preamp.edge.hosts_known import KnownHosts
from preamp.edge.reader import AppSites, SiteReader
from preamp.edge.site import LoadedSite
from preamp.model.errors import DependentServiceFailure
from preamp.store.bell import ChangeSignal
from preamp.store.hosting import CustomHost
from preamp.store.manifests import ManifestError

POLL_SECONDS = 0.1
RECHECK_SECONDS = 1.0
"""How long "there is no such site" is believed without a change in the log."""
MOST_UNKNOWN = 10_000
SWEEP_SECONDS = 10.0
MOST_FILES = 500_000
"""Of all loaded releases together: about 400 MB."""

log = logging.getLogger(__name__)
_AWAY = (SQLAlchemyError, OSError, DependentServiceFailure)


class SiteUnavailable(Exception):
    """The site is not known yet and cannot be read now."""


class SiteTable:
    """`bell` rings when hosting changed; without one, changes are found by polling alone.

    `on_change` is told of each app whose prepared answers are no longer right, and `last_used` knows when
    one of them was sent last. Apps that nobody asked for in `idle_seconds` are dropped, and when all
    together have more than `most_files` files, those that were not asked for longest.
    """

    def __init__(
        self,
        reader: SiteReader,
        *,
        on_change: Callable[[str], None],
        bell: ChangeSignal | None = None,
        poll_seconds: float = POLL_SECONDS,
        last_used: Callable[[str], float] = lambda _app_id: 0.0,
        idle_seconds: float = 3600.0,
        most_files: int = MOST_FILES,
    ) -> None:
        self._reader = reader
        self._bell = bell
        self._poll_seconds = poll_seconds
        self._heard = bell.value if bell else 0
        self._catching_up = asyncio.Lock()
        self._on_change = on_change
        self._apps: dict[str, AppSites] = {}
        self._unknown: dict[str, float] = {}
        self._hosts = KnownHosts()
        self._loads: dict[str, asyncio.Lock] = {}
        self._epoch: dict[str, int] = {}
        self._seq: int | None = None
        self._away = False
        self._last_used = last_used
        self._idle_seconds = idle_seconds
        self._most_files = most_files
        self._asked: dict[str, float] = {}

    def is_stale(self) -> bool:
        """Whether something changed since the log was read last."""
        return self._bell is not None and self._bell.value != self._heard

    async def freshen(self) -> None:
        """Take over what changed before this moment; what is known is served on when that fails."""
        try:
            await self.catch_up(only_if_stale=True)
        except _AWAY as error:
            log.debug("a change cannot be read yet: %s", error)

    def peek(self, app_id: str, label: str) -> LoadedSite | None:
        """What is in memory now."""
        app = self._apps.get(app_id)
        return app.loaded.get(label) if app else None

    def is_current(self, site: LoadedSite) -> bool:
        """Whether answers made from `site` are still right."""
        return self.peek(site.app_id, site.label) is site

    async def find(self, app_id: str, label: str) -> LoadedSite | None:
        """None when there is no such site. Raises SiteUnavailable."""
        self._asked[app_id] = time.monotonic()
        found = self.peek(app_id, label)
        if found is not None or self._is_unknown(app_id, label):
            return found
        lock = self._loads.setdefault(app_id, asyncio.Lock())
        try:
            async with lock:
                return self.peek(app_id, label) or await self._load(app_id, label)
        except (*_AWAY, ManifestError) as error:
            log.error("site %s of app %s cannot be read: %s", label, app_id, error)
            raise SiteUnavailable(f"{label}.{app_id}") from error
        finally:
            if not lock.locked():
                self._loads.pop(app_id, None)

    async def find_host(self, host: str) -> CustomHost | None:
        """The site at a custom host, lower case and without port. Raises SiteUnavailable."""
        while True:
            found = self._hosts.get(host)
            if found is not None or self._hosts.is_missing(host):
                return found
            epoch = self._hosts.epoch
            try:
                found = await asyncio.to_thread(self._reader.find_host, host)
            except _AWAY as error:
                log.error("the host %s cannot be looked up: %s", host, error)
                raise SiteUnavailable(host) from error
            if self._hosts.epoch == epoch:
                self._hosts.put(host, found)
                return found

    def _is_unknown(self, app_id: str, label: str) -> bool:
        now = time.monotonic()
        if now < self._unknown.get(app_id, 0.0):
            return True
        app = self._apps.get(app_id)
        return (
            app is not None and label not in app.sites and now < self._unknown.get(f"{label}.{app_id}", 0.0)
        )

    async def _load(self, app_id: str, label: str) -> LoadedSite | None:
        while True:
            epoch = self._epoch.get(app_id, 0)
            now = time.monotonic()
            app = self._apps.get(app_id)
            fresh = app
            if app is None or (label not in app.sites and app.read_at + RECHECK_SECONDS < now):
                fresh = await asyncio.to_thread(self._reader.read_app, app_id, now=now, before=app)
            assert fresh is not None
            site = await asyncio.to_thread(self._reader.load, fresh, label)
            if self._epoch.get(app_id, 0) != epoch:
                continue  # it changed while it was read
            if not fresh.sites:
                self._remember_unknown(app_id)
                return None
            if fresh is not app:
                # Known sites stay: the log would have told if they had changed.
                fresh.loaded.update(app.loaded if app else {})
                self._apps[app_id] = fresh
            if site is None:
                self._remember_unknown(f"{label}.{app_id}")
                return None
            fresh.loaded[label] = site
            return site

    def _remember_unknown(self, name: str) -> None:
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[name] = time.monotonic() + RECHECK_SECONDS

    async def follow(self) -> None:
        """Keep up with the change log until cancelled."""
        while True:
            try:
                await self.catch_up()
                if self._away:
                    log.warning("the database is back")
                self._away = False
            except _AWAY as error:
                if not self._away:
                    log.error("the database is away, serving what is known: %s", error)
                self._away = True
            except Exception:
                if not self._away:
                    log.exception("changes cannot be followed, serving what is known")
                self._away = True
            await asyncio.sleep(self._poll_seconds)

    async def keep_small(self) -> None:
        """Forget what nobody asks for, until cancelled."""
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self._idle_seconds))
            self.sweep()

    def sweep(self) -> None:
        """One look. Nothing is forgotten while the database is away: it could not be read again."""
        self._asked = {app_id: at for app_id, at in self._asked.items() if app_id in self._apps}
        if self._away:
            return
        used = {app_id: max(self._asked.get(app_id, 0.0), self._last_used(app_id)) for app_id in self._apps}
        size = {app_id: app.file_count for app_id, app in self._apps.items()}
        total = sum(size.values())
        oldest = time.monotonic() - self._idle_seconds
        for app_id in sorted(used, key=used.__getitem__):
            if used[app_id] >= oldest and total <= self._most_files:
                break
            if app_id in self._loads or (len(used) == 1 and used[app_id] >= oldest):
                continue
            total -= size[app_id]
            self._epoch[app_id] = self._epoch.get(app_id, 0) + 1
            del self._apps[app_id]
            self._on_change(app_id)

    async def catch_up(self, *, only_if_stale: bool = False) -> None:
        """Take over all changes so far. Raises when the database is away; nothing is lost then."""
        async with self._catching_up:
            if only_if_stale and not self.is_stale():
                return
            # Taken before reading: a ring while the log is read means to read it again. Believed only
            # after it: requests that come meanwhile wait for the change instead of missing it.
            heard = self._bell.value if self._bell else 0
            try:
                await self._read_log()
            finally:
                # Also when it cannot be read: polling goes on, and requests do not wait for it.
                self._heard = heard

    async def _read_log(self) -> None:
        if self._seq is None:
            self._seq = await asyncio.to_thread(self._reader.latest)
            # Sites that were loaded before the place in the log was known may be older than it.
            await self._refresh_all()
            return
        changed = await asyncio.to_thread(self._reader.changed_since, self._seq)
        if changed.everything:
            await self._refresh_all()
        else:
            if changed.apps:
                self._hosts.forget(changed.apps)
            for app_id in changed.apps:
                await self._refresh(app_id)
        self._seq = changed.seq

    async def _refresh_all(self) -> None:
        self._unknown.clear()
        self._hosts.forget(None)
        for app_id in {*self._apps, *self._loads}:
            await self._refresh(app_id)

    async def _refresh(self, app_id: str) -> None:
        """Read a known app again and put the new sites in the place of the old ones, all at once."""
        self._epoch[app_id] = self._epoch.get(app_id, 0) + 1
        self._unknown.pop(app_id, None)
        before = self._apps.get(app_id)
        if before is None:
            return
        after = await asyncio.to_thread(self._read_again, before)
        self._epoch[app_id] += 1  # what was read meanwhile may be older than `after`
        if after.sites:
            self._apps[app_id] = after
        else:
            del self._apps[app_id]
        for label in after.sites:
            self._unknown.pop(f"{label}.{app_id}", None)
        self._on_change(app_id)

    def _read_again(self, before: AppSites) -> AppSites:
        app = self._reader.read_app(before.app_id, now=time.monotonic(), before=before)
        for label, old in list(before.loaded.items()):
            try:
                site = self._reader.load(app, label, before=old)
            except ManifestError as error:
                log.error("%s.%s: the new release is not served: %s", label, app.app_id, error)
                site = old
            if site is not None:
                app.loaded[label] = site
        return app
