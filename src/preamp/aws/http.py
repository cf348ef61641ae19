"""A request and a response as the wire layer sees them: bytes, nothing decoded that a signature covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import Struct


class Headers:
    """Headers by lower-case name; several of one name are kept in their order."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def all(self, name: str) -> list[str]:
        """Every value of the header, none when it is absent."""
        return self._values.get(name, [])

    def get(self, name: str) -> str | None:
        """The value of a header that should be there once; the first one when it is repeated."""
        values = self._values.get(name)
        return values[0] if values else None

    def __contains__(self, name: str) -> bool:
        return name in self._values


# A struct: it is copied twice on its way, which takes a dataclass ten times as long.
class HttpRequest(Struct, frozen=True, kw_only=True):
    """What arrived. `raw_path` and `raw_query` are exactly the bytes of the request line."""

    method: str
    scheme: str
    raw_path: bytes
    raw_query: bytes
    headers: Headers
    body: bytes = b""
    query: tuple[tuple[str, str], ...] = ()
    """`raw_query` decoded, in its order; `+` is a space, as for the services of AWS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResponse:
    """What goes out; the body is JSON."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; content length and type are added when it is sent."""
    body: bytes
