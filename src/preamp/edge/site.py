"""A site ready to serve: one branch with its release, rules and access settings, never changed in place.

A request works with one `LoadedSite` from its start to its end, so that no answer mixes two releases.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace

from preamp.edge.content import Content
from preamp.edge.guard import Guard
from preamp.edge.rules.book import RuleBook
from preamp.edge.skew import Earlier
from preamp.store.hosting import Site


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedSite:
    app_id: str
    label: str
    """As in the host name: of a branch, or of one job's release."""
    site: Site
    content: Content | None
    """None until the first successful job."""
    modified_ms: int
    """When the release was made."""
    rules: RuleBook
    credentials: bytes | None
    """`user:password` that visitors need; empty when they are wanted but not set, so that nobody gets in."""

    guard: Guard
    earlier: tuple[Earlier, ...] = ()
    """Releases whose assets stay reachable, newest first; none without skew protection."""

    @property
    def is_memoisable(self) -> bool:
        """Whether answers depend on nothing but what the memo's key has."""
        return self.credentials is None and self.guard.is_open and not self.rules.has_conditions

    @property
    def sets_deployment(self) -> bool:
        """Whether pages tell the browser which deployment they are of."""
        return self.site.branch.enable_skew_protection and self.label == self.site.label

    def as_of(self, release: Earlier) -> LoadedSite:
        """The same site with the files and headers of an earlier release."""
        return replace(self, content=release.content, modified_ms=release.modified_ms)


def credentials_of(site: Site) -> bytes | None:
    """The branch's settings win over the app's (behaviour reference 7.5)."""
    enabled = site.branch.enable_basic_auth
    if enabled is None:
        enabled = site.app.enable_basic_auth
    if not enabled:
        return None
    text = site.branch.basic_auth_credentials or site.app.basic_auth_credentials or ""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
