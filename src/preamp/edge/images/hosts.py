"""Which remote sources a site allows: `domains` and `remotePatterns` of its manifest."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

import re2

from preamp.edge.images.errors import ImageError
from preamp.edge.upstream.errors import UpstreamRefused
from preamp.edge.upstream.origin import Origin, split_url
from preamp.model.deploy_manifest import ImageSettings, RemotePattern

LONGEST_URL = 4096
_SAFE = "-._~:/?[]@!$&'()*+,;=%"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_USUAL_PORT = {"http": 80, "https": 443}


def is_remote(url: str) -> bool:
    """Whether a source is on another server. Raises ImageError (400) for what is no path and no URL."""
    if len(url) > LONGEST_URL:
        raise ImageError(400, f"url has {len(url)} characters: at most {LONGEST_URL} are allowed")
    if _SCHEME.match(url):
        return True
    if url.replace("\\", "/").startswith("//"):
        raise ImageError(400, "url has to be a path of this site, such as /photo.jpg, or begin with https://")
    return False


def local_target(url: str) -> str:
    """Path and query of a source on the same site, as a request has them."""
    path = url.partition("#")[0]
    return quote(path if path.startswith("/") else f"/{path}", safe=_SAFE)


def check(url: str, settings: ImageSettings) -> tuple[Origin, str]:
    """Where a remote source is, and its target there. Raises ImageError (400) when it is not allowed."""
    try:
        origin, target = split_url(quote(url.partition("#")[0], safe=_SAFE))
    except UpstreamRefused:
        raise ImageError(400, "url is not a plain https URL") from None
    if origin.scheme != "https":
        raise ImageError(400, "url has to begin with https://")
    path = urlsplit(target).path
    # A server may take `a/../b` for `b`, so that a pattern's folder would be left.
    if {".", ".."} & set(re.split(r"[/\\]", unquote(path))):
        raise ImageError(400, "url has a path with . or .. in it")
    host = origin.host.lower()
    if host not in map(str.lower, settings.domains) and not any(
        _matches(pattern, origin, host, path) for pattern in settings.remote_patterns
    ):
        raise ImageError(
            400, f"url leads to {host}, which is not among this site's domains and remotePatterns"
        )
    return origin, target


def _matches(pattern: RemotePattern, origin: Origin, host: str, path: str) -> bool:
    if pattern.protocol is not None and pattern.protocol != origin.scheme:
        return False
    if pattern.port is not None and int(pattern.port or _USUAL_PORT[origin.scheme]) != origin.port:
        return False
    if not _compiled(pattern.hostname.lower(), ".").fullmatch(host):
        return False
    return not pattern.pathname or bool(_compiled(pattern.pathname, "/").fullmatch(path))


@lru_cache(maxsize=1024)
def _compiled(glob: str, separator: str) -> re2._Regexp:
    """`*` is one label or segment, or a part of one; `**` is any number of them."""
    one = f"[^{re2.escape(separator)}]"
    parts = [
        {"**": ".*" if separator == "/" else ".+", "*": f"{one}*"}.get(part) or re2.escape(part)
        for part in re.split(r"(\*\*|\*)", glob)
    ]
    return re2.compile("".join(parts))
