"""The routes of a release with a deploy manifest, compiled once when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from preamp.edge.paths import canonical
from preamp.model.deploy_manifest import Route


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """The route that decides about a path."""

    number: int
    """Its place in the manifest, from 0."""
    route: Route


class RouteBook:
    """The last route has to match everything, as the specification has it."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._compiled = [
            (matcher(route.path), Routed(number=number, route=route)) for number, route in enumerate(routes)
        ]

    def find(self, path: str) -> Routed:
        """The first that matches a path in its canonical spelling; the last one for `*`, which is no path."""
        return next((routed for matches, routed in self._compiled if matches(path)), self._compiled[-1][1])


def matcher(pattern: str) -> Callable[[str], bool]:
    """`*` is zero or more characters, `/` among them.

    The parts between the stars are looked for from left to right, each at its first place: that is right
    since what is between them does not matter, and no pattern makes it take long.
    """
    first, *inner = canonical(pattern).split("*")
    if not inner:
        return first.__eq__
    last = inner.pop()
    inner = [part for part in inner if part]
    if not inner:
        if not last:
            return lambda path: path.startswith(first)
        least = len(first) + len(last)
        return lambda path: len(path) >= least and path.startswith(first) and path.endswith(last)

    def matches(path: str) -> bool:
        if not path.startswith(first):
            return False
        place, end = len(first), len(path) - len(last)
        for part in inner:
            place = path.find(part, place, end)
            if place < 0:
                return False
            place += len(part)
        return place <= end and path.endswith(last)

    return matches
