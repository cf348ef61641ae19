"""A request as the stages see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from preamp.edge.paths import canonical, decoded


@dataclass(frozen=True, kw_only=True)
class Request:
    """The head of a request."""

    method: str
    scheme: str
    authority: str
    """The `Host` header as sent."""
    raw_path: str
    """As sent, without the query; begins with `/`."""
    query: str
    """As sent, without `?`."""
    headers: Mapping[str, str]
    """By lower-case name; several of one name are joined by `, `."""
    country: str | None = None
    """Two letters; None when unknown or when no rule asks for it."""
    address: str = ""
    """Of the visitor, numeric; empty when it is unknown."""
    forwarded_for: tuple[str, ...] = ()
    """The visitor and the proxies before us, as far as they are known."""

    @cached_property
    def path(self) -> str:
        """The canonical spelling, still encoded."""
        return canonical(self.raw_path)

    @cached_property
    def decoded_path(self) -> str | None:
        """None when it is not UTF-8: such a path names no file."""
        return decoded(self.raw_path)

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """By name; of several with one name the first counts."""
        found: dict[str, str] = {}
        for part in self.headers.get("cookie", "").replace(", ", "; ").split(";"):
            name, equals, value = part.partition("=")
            if equals:
                found.setdefault(name.strip(), value.strip())
        return found

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


def join_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names have to be in lower case already."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
