"""A site ready to serve: one branch with its release, rules and access settings, never changed in place.

A request works with one `LoadedSite` from its start to its end, so that no answer mixes two releases.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from preamp.edge.content import Content
from preamp.edge.rules.book import RuleBook
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

    @property
    def is_memoisable(self) -> bool:
        """Whether answers depend on nothing but host, target and accepted encodings."""
        return self.credentials is None and not self.rules.has_conditions


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
