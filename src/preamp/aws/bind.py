"""A validated wire document -> the operation's typed input, compiled once per input type."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin

from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from preamp.aws.service import Kind, ModelError, Shape
from preamp.aws.timestamps import from_wire

Convert = Callable[[Any], Any]


def compile_binder(shape: Shape, target: type) -> Callable[[Mapping[str, Any]], Any]:
    """A function that makes a `target` (a struct mirroring `shape`) from a valid document.

    Raises ModelError when the fields of `target` are not the members of `shape`. The document of the top
    level has model names, nested objects have wire names, as `parse` and the client leave them.
    """
    return _structure(shape, target, top=True)


def mirror_fields(shape: Shape, target: Any) -> Mapping[str, FieldInfo]:
    """The fields of `target` by name, after checking that they are the shape's members."""
    if not isinstance(target, type) or not issubclass(target, Struct):
        raise ModelError(f"{target!r} is to mirror shape {shape.name} but is not a struct")
    found = {field.name: field for field in fields(target)}
    if odd := set(found) ^ {member.attribute for member in shape.members}:
        raise ModelError(f"{target.__name__} does not mirror shape {shape.name}: {', '.join(sorted(odd))}")
    for member in shape.members:
        if found[member.attribute].required and not member.required:
            raise ModelError(f"{target.__name__}.{member.attribute} must be optional, as in {shape.name}")
    return found


def without_none(hint: Any) -> Any:
    """`X` of `X | None`."""
    if get_origin(hint) in {Union, types.UnionType}:
        (hint,) = (part for part in get_args(hint) if part is not types.NoneType)
    return hint


def _structure(shape: Shape, target: type, *, top: bool = False) -> Convert:
    mirror = mirror_fields(shape, target)
    plan = [
        (
            member.name if top else member.wire_name,
            member.attribute,
            _converter(member.shape, without_none(mirror[member.attribute].type)),
        )
        for member in shape.members
    ]

    def bind(document: Mapping[str, Any]) -> Any:
        values = {}
        for name, attribute, convert in plan:
            value = document.get(name)
            if value is not None:
                values[attribute] = value if convert is None else convert(value)
        return target(**values)

    return bind


def _converter(shape: Shape, hint: Any) -> Convert | None:
    match shape.kind:
        case Kind.STRUCTURE:
            return _structure(shape, hint)
        case Kind.TIMESTAMP:
            return from_wire
        case Kind.LIST:
            assert shape.item is not None
            convert = _converter(shape.item, get_args(hint)[0])
            return tuple if convert is None else lambda values: tuple(convert(value) for value in values)
        case Kind.MAP:
            assert shape.value is not None
            inner = _converter(shape.value, get_args(hint)[1])
            return dict if inner is None else lambda items: {key: inner(item) for key, item in items.items()}
        case _:
            return None
