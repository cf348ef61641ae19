"""How a site is served, where Amplify's API has no member for it: set by `preamp` commands."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST_NETWORKS = 10_000
"""In one list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessList:
    """Which addresses may visit. Networks are canonical text, such as `192.0.2.0/24`."""

    allow: tuple[str, ...] = ()
    """When there is any, only these."""
    deny: tuple[str, ...] = ()
    """Never these; wins over `allow`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AppHosting:
    """Of an app, for all of its branches."""

    access: AccessList = AccessList()
    supersede_pushes: bool = True
    """Whether a newer push cancels the pushes of its branch that still wait. It is no matter of serving,
    but an option that Amplify's API lacks as well."""
    immutable_assets: bool = False
    """Whether files with a fingerprint in their name may be cached for a year without asking again."""
    verify_root: bool = True
    """Whether a job fails when the new release's server answers / with an error of its own (5xx)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchHosting:
    """Of a branch, beside the app's: an address has to pass both lists."""

    access: AccessList = AccessList()
    maintenance: str | None = None
    """The text of the maintenance page that answers everything; None: the site is served."""
    runtime_variables: bool = False
    """Whether the branch's server sees the variables and secrets that its builds see; Amplify's does not."""


def parse_network(text: str) -> Network:
    """`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`. Raises ValueError with the reason."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no address or network such as 192.0.2.0/24") from None
