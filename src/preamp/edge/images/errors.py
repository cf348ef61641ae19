"""Why a visitor gets no image."""

from __future__ import annotations


class ImageError(Exception):
    """`str(error)` is for the visitor: it names what is wrong, and nothing of the network behind.

    400 a parameter, a host, or something that is no image; 404 no source; 413 a limit of size; 500 the
    image broke the program that changes it; 502 and 504 the source's server; 503 too much to do.
    """

    def __init__(self, status: int, text: str, *, retry_seconds: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_seconds = retry_seconds
        """When to come again; None unless the status is 503."""
