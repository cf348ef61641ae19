"""What a stage decides. Turning it into bytes and headers is the work of `render`."""

from __future__ import annotations

from dataclasses import dataclass, field

from preamp.edge.skew import Earlier
from preamp.model.releases import File


@dataclass(frozen=True, kw_only=True, slots=True)
class Serve:
    """A file of the release."""

    path: str
    """Its name in the manifest."""
    file: File
    status: int = 200
    """200, or 404 for the body of an error page."""
    earlier: Earlier | None = None
    """The release it is of, when that is not the current one."""
    rule: int | None = None
    """The rule that led here, by its place in the app's list; None: no rule did."""
    route: int | None = None
    """Of the release's deploy manifest, by its place; None: no route led here."""
    cache_control: str | None = None
    """What the route says, when it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redirect:
    status: int
    location: str
    rule: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forward:
    """A 200 rewrite to another server."""

    url: str
    rule: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """The server of the release answers."""

    url: str
    """Path and query, as the server sees them."""
    keep_body: bool = True
    """Whether the request's body goes with it."""
    second: Outcome | None = None
    """What answers when the server says 404."""
    route: int
    rule: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image, changed as the query says."""

    query: str
    """As sent, without `?`."""
    cache_control: str | None
    second: Outcome | None = None
    """What answers when there is no such image."""
    route: int
    rule: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A small body of our own."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


Outcome = Serve | Redirect | Forward | Compute | Image | Message
