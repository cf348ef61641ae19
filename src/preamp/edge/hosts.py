"""Which site a host name means: `{label}.{appId}.{site domain}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RELEASE = re.compile(r"(\d{1,10})--(.+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class HostName:
    """A site's name, whether or not there is such a site."""

    app_id: str
    label: str
    """Of the branch, or `{job}--{label}` for the release of one job."""


def parse_host(authority: str, site_domain: str) -> HostName | None:
    """None for any other host. Ports and a final dot do not count, nor does the case."""
    host, suffix = without_port(authority), "." + without_port(site_domain)
    if not host.endswith(suffix):
        return None
    name = host.removesuffix(suffix)
    label, dot, app_id = name.partition(".")
    if not dot or not label or not app_id or "." in app_id:
        return None
    return HostName(app_id=app_id, label=label)


def is_default_host(authority: str, site_domain: str) -> bool:
    """Whether a host is below the site domain, where no custom domain can be."""
    host, domain = without_port(authority), without_port(site_domain)
    return host == domain or host.endswith(f".{domain}")


def without_port(authority: str) -> str:
    """`Main.D1.LocalHost.:7780` -> `main.d1.localhost`."""
    host = authority.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


def split_release_label(label: str) -> tuple[int, str] | None:
    """`7--main` -> job 7 of the branch labelled `main`."""
    match = _RELEASE.fullmatch(label)
    return (int(match[1]), match[2]) if match else None
