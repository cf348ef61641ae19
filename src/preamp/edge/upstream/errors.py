"""Why an upstream gave no answer. The texts are for logs, and for the owner of the site."""

from __future__ import annotations


class UpstreamError(Exception):
    """No usable answer; `status` is what the visitor gets."""

    status = 502


class UpstreamRefused(UpstreamError):
    """Its address is not one that sites may reach."""


class UpstreamUnreachable(UpstreamError):
    """No connection: the name is unknown, nobody listens, or TLS failed."""


class UpstreamTimeout(UpstreamError):
    """It did not accept the connection, or did not answer, in time."""

    status = 504


class UpstreamBroken(UpstreamError):
    """The connection ended too early, or what came is not HTTP."""


class UpstreamEnded(UpstreamBroken):
    """The connection ended before anything of an answer came."""


class UpstreamBusy(UpstreamError):
    """Too many connections are open already."""

    status = 503
