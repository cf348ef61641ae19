"""A botocore service model, compiled once into immutable structures of our own.

Only what rest-json services like Amplify use is understood; a model that needs more (streams, greedy
labels, recursive shapes) is refused when it is loaded, not when the first request meets it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader

from preamp.aws.patterns import compile_pattern


class ModelError(Exception):
    """The service model, or a Python type that should mirror it, cannot be used; the text says where."""


class Kind(StrEnum):
    STRUCTURE = "structure"  # a frozen struct
    LIST = "list"  # a tuple
    MAP = "map"  # a mapping with string keys
    STRING = "string"  # str
    INTEGER = "integer"  # int
    FLOAT = "float"  # float
    BOOLEAN = "boolean"  # bool
    TIMESTAMP = "timestamp"  # int, milliseconds since the epoch


class Location(StrEnum):
    BODY = "body"  # a member of the JSON object
    URI = "uri"  # a label of the path
    QUERY = "querystring"  # a query parameter, repeated for lists
    HEADER = "header"  # a header


_KINDS = {**{kind.value: kind for kind in Kind}, "long": Kind.INTEGER, "double": Kind.FLOAT}
_SCALARS = frozenset({Kind.STRING, Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN, Kind.TIMESTAMP})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shape:
    """A type of the model with its constraints; `minimum` and `maximum` count characters, items or units."""

    name: str
    kind: Kind
    members: tuple[Member, ...] = ()
    item: Shape | None = None
    """Of a list."""
    key: Shape | None = None
    value: Shape | None = None
    """Of a map."""
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    """As the model writes it; messages repeat it."""
    regex: re.Pattern[str] | None = None
    enum: tuple[str, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Member:
    """A member of a structure."""

    name: str
    """As in the model: `appId`. Messages use it."""
    wire_name: str
    """As on the wire; differs from `name` only where the model says so."""
    attribute: str
    """As in Python: `app_id`."""
    shape: Shape
    required: bool
    location: Location


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Operation:
    """An operation and its HTTP binding."""

    name: str
    method: str
    uri: str
    """Such as `/apps/{appId}`."""
    input: Shape
    output: Shape
    status: int
    """Of a success."""
    errors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Service:
    """A whole service."""

    name: str
    signing_name: str
    api_version: str
    operations: Mapping[str, Operation]
    shapes: Mapping[str, Shape]
    error_status: Mapping[str, int]
    """Error code -> HTTP status, of every error the model has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overrides:
    """Where the real service accepts what its model forbids; each entry is keyed by shape name."""

    extra_enum_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    minimum: Mapping[str, int] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    """`Shape.member` of members that the model requires and the real service leaves out."""


def load_service(name: str, *, overrides: Overrides | None = None) -> Service:
    """The service `name` as the installed botocore ships it, newest API version.

    Raises ModelError when it uses something this layer does not speak.
    """
    return compile_service(Loader().load_service_model(name, "service-2"), overrides=overrides)


def compile_service(model: Mapping[str, Any], *, overrides: Overrides | None = None) -> Service:
    """A service from the content of a `service-2.json`. Raises ModelError as `load_service` does."""
    metadata = model["metadata"]
    if metadata["protocol"] != "rest-json":
        raise ModelError(f"protocol {metadata['protocol']} is not rest-json")
    compiler = _Compiler(model["shapes"], overrides or Overrides())
    operations = {name: compiler.operation(name, raw) for name, raw in model["operations"].items()}
    return Service(
        name=metadata["endpointPrefix"],
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        api_version=metadata["apiVersion"],
        operations=operations,
        shapes=compiler.shapes,
        error_status=_error_status(model["shapes"]),
    )


def _error_status(shapes: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: int(shape.get("error", {}).get("httpStatusCode", 500 if shape.get("fault") else 400))
        for name, shape in shapes.items()
        if shape.get("exception")
    }


class _Compiler:
    """Resolves shape references; each shape is compiled once."""

    def __init__(self, raw: Mapping[str, Any], overrides: Overrides) -> None:
        self._raw = raw
        self._overrides = overrides
        self._open: set[str] = set()
        self.shapes: dict[str, Shape] = {}
        self._optional = [name.partition(".") for name in overrides.optional]
        known = {
            *(shape for shape, _, _ in self._optional),
            *overrides.extra_enum_values,
            *overrides.minimum,
            *overrides.sensitive,
        }
        if unknown := known - set(raw):
            raise ModelError(f"overrides name shapes the model lacks: {', '.join(sorted(unknown))}")

    def operation(self, name: str, raw: Mapping[str, Any]) -> Operation:
        for trait in ("authtype", "endpoint", "httpChecksum"):
            if trait in raw:
                raise ModelError(f"operation {name}: {trait} is not supported")
        empty = Shape(name=f"{name}Nothing", kind=Kind.STRUCTURE)
        operation = Operation(
            name=name,
            method=raw["http"]["method"],
            uri=raw["http"]["requestUri"],
            input=self.shape(raw["input"]["shape"]) if "input" in raw else empty,
            output=self.shape(raw["output"]["shape"]) if "output" in raw else empty,
            status=int(raw["http"].get("responseCode", 200)),
            errors=tuple(error["shape"] for error in raw.get("errors", ())),
        )
        for code in operation.errors:
            self.shape(code)
        for member in operation.output.members:
            if member.location is not Location.BODY:
                raise ModelError(f"operation {name}: output member {member.name} is not in the body")
        return operation

    def shape(self, name: str) -> Shape:
        if name in self.shapes:
            return self.shapes[name]
        if name in self._open:
            raise ModelError(f"shape {name} contains itself, which is not supported")
        self._open.add(name)
        shape = self._compile(name, self._raw[name])
        self._open.remove(name)
        self.shapes[name] = shape
        return shape

    def _compile(self, name: str, raw: Mapping[str, Any]) -> Shape:
        kind = _KINDS.get(raw["type"])
        if kind is None or "payload" in raw or raw.get("streaming") or raw.get("eventstream"):
            raise ModelError(f"shape {name}: {raw['type']} with these traits is not supported")
        pattern = raw.get("pattern")
        enum = tuple(raw.get("enum", ()))
        return Shape(
            name=name,
            kind=kind,
            members=self._members(name, raw) if kind is Kind.STRUCTURE else (),
            item=self.shape(raw["member"]["shape"]) if kind is Kind.LIST else None,
            key=self.shape(raw["key"]["shape"]) if kind is Kind.MAP else None,
            value=self.shape(raw["value"]["shape"]) if kind is Kind.MAP else None,
            minimum=self._overrides.minimum.get(name, raw.get("min")),
            maximum=raw.get("max"),
            pattern=pattern,
            regex=None if pattern in {None, "(?s).*"} else compile_pattern(pattern),
            enum=enum + tuple(self._overrides.extra_enum_values.get(name, ())),
            sensitive=bool(raw.get("sensitive")) or name in self._overrides.sensitive,
        )

    def _members(self, owner: str, raw: Mapping[str, Any]) -> tuple[Member, ...]:
        optional = {member for shape, _, member in self._optional if shape == owner}
        required = set(raw.get("required", ())) - optional
        members = []
        for name, reference in raw["members"].items():
            shape = self.shape(reference["shape"])
            location = self._location(owner, name, reference, shape)
            members.append(
                Member(
                    name=name,
                    wire_name=reference.get("locationName", name),
                    attribute=xform_name(name),
                    shape=shape,
                    required=name in required,
                    location=location,
                )
            )
        return tuple(members)

    def _location(self, owner: str, name: str, reference: Mapping[str, Any], shape: Shape) -> Location:
        try:
            location = Location(reference.get("location", "body"))
        except ValueError:
            raise ModelError(f"{owner}.{name}: location {reference['location']} is not supported") from None
        simple = shape.kind in _SCALARS
        repeated = shape.kind is Kind.LIST and shape.item is not None and shape.item.kind in _SCALARS
        if location is Location.BODY or simple or (location is Location.QUERY and repeated):
            return location
        raise ModelError(f"{owner}.{name}: a {shape.kind} in the {location} is not supported")
