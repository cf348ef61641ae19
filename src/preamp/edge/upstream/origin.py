"""Where an upstream listens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from preamp.edge.upstream.errors import UpstreamRefused

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?|\[[0-9a-f:.]+\]", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A server; connections to equal origins are exchangeable."""

    scheme: str
    """`http` or `https`."""
    host: str
    """A name or an address, IPv6 in brackets, as in the `Host` header."""
    port: int
    socket_path: str | None = None
    """A unix socket to dial instead of host and port; for servers that we started ourselves."""

    @property
    def authority(self) -> str:
        """For the `Host` header: without the scheme's usual port."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


def split_url(url: str) -> tuple[Origin, str]:
    """The origin of an absolute URL, and the target of the request line (without fragment).

    Raises UpstreamRefused for anything but a plain http or https URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UpstreamRefused(f"{url} is not a URL: {error}") from error
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in _PORTS or parts.username is not None or not _HOST.fullmatch(host):
        raise UpstreamRefused(f"{url} is not a plain http or https URL")
    origin = Origin(scheme=parts.scheme, host=host, port=_PORTS[parts.scheme] if port is None else port)
    target = parts.path or "/"
    return origin, f"{target}?{parts.query}" if parts.query else target
