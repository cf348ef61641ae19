"""Why there is no server of a release."""

from __future__ import annotations


class ComputeError(Exception):
    """A server cannot be had. The text is for logs and says what to do."""

    status = 502
    """What the visitor gets."""
    for_visitor = "The server of this site could not be started."


class BundleError(ComputeError):
    """The packed server is damaged, not there, or not what was published."""


class StartError(ComputeError):
    """The server did not listen; the text has its last lines."""


class BackOff(ComputeError):
    """It ended again and again, and is not tried at the moment."""


class UnknownRelease(ComputeError):
    """There is no such release, or it has no server."""


class TooMany(ComputeError):
    """As many servers run as may, and all are in use."""

    status = 503
    for_visitor = "Too many sites are in use at the moment. Please try again soon."
