"""Method and raw path -> operation and labels.

The raw path is split on `/` before anything is decoded, so that the branch `feature/foo` (sent as
`feature%2Ffoo`) and a fully encoded tag ARN stay one label each. Nothing is normalised: an empty or dot
segment, a trailing slash or an encoded character in a fixed segment is another path, and unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from preamp.aws.errors import WireError
from preamp.aws.percent import decode
from preamp.aws.service import Location, ModelError, Operation, Service

_LABEL = re.compile(r"\{([A-Za-z0-9]+)\}")
_NEVER_A_LABEL = frozenset({b"", b".", b".."})


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """The operation a request is for, and its labels, decoded, by wire name."""

    operation: Operation
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Route:
    operation: Operation
    fixed: tuple[tuple[int, bytes], ...]
    labels: tuple[tuple[int, str], ...]


class Router:
    """The routes of one service, compiled once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        routes: dict[tuple[str, int], list[_Route]] = {}
        for operation in service.operations.values():
            segments = operation.uri.split("/")[1:]
            route = _compile(operation, segments)
            routes.setdefault((operation.method, len(segments)), []).append(route)
        for candidates in routes.values():
            candidates.sort(key=lambda route: -len(route.fixed))
        self._routes = routes

    def match(self, method: str, raw_path: bytes) -> Match:
        """Raises WireError UnknownOperationException (404) and BadRequest for bad percent-encoding."""
        segments = raw_path.split(b"/")[1:]
        for route in self._routes.get((method, len(segments)), ()):
            if all(segments[at] == text for at, text in route.fixed) and not any(
                segments[at] in _NEVER_A_LABEL for at, _ in route.labels
            ):
                labels = {name: decode(segments[at], where=f"path label {name}") for at, name in route.labels}
                return Match(operation=route.operation, labels=labels)
        raise WireError(
            "UnknownOperationException",
            f"No operation of {self._service.name} {self._service.api_version} has this method and path",
        )


def _compile(operation: Operation, segments: list[str]) -> _Route:
    fixed, labels = [], []
    for at, segment in enumerate(segments):
        if label := _LABEL.fullmatch(segment):
            labels.append((at, label.group(1)))
        elif "{" in segment or "?" in segment:
            raise ModelError(f"operation {operation.name}: path segment {segment!r} is not supported")
        else:
            fixed.append((at, segment.encode("ascii")))
    of_input = {member.wire_name for member in operation.input.members if member.location is Location.URI}
    if {name for _, name in labels} != of_input:
        raise ModelError(f"operation {operation.name}: labels of {operation.uri} are not those of its input")
    return _Route(operation=operation, fixed=tuple(fixed), labels=tuple(labels))
