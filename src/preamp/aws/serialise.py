"""The operation's typed output -> JSON, compiled once per output type so that a page of jobs costs little."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, get_args

import msgspec

from preamp.aws.bind import mirror_fields, without_none
from preamp.aws.service import Kind, Shape
from preamp.aws.timestamps import to_wire

Convert = Callable[[Any], Any]
_encode = msgspec.json.Encoder().encode


def compile_serialiser(shape: Shape, source: type) -> Callable[[Any], bytes]:
    """A function that encodes a `source` (a frozen dataclass mirroring `shape`); `None` members are left out.

    Raises ModelError when the fields of `source` are not the members of `shape`.
    """
    to_object = _structure(shape, source)
    return lambda output: _encode(to_object(output))


def _structure(shape: Shape, source: type) -> Convert:
    hints = mirror_fields(shape, source)
    plan = [
        (
            member.wire_name,
            attrgetter(member.attribute),
            _converter(member.shape, without_none(hints[member.attribute])),
        )
        for member in shape.members
    ]

    def to_object(value: Any) -> dict[str, Any]:
        result = {}
        for name, get, convert in plan:
            member = get(value)
            if member is not None:
                result[name] = member if convert is None else convert(member)
        return result

    return to_object


def _converter(shape: Shape, hint: Any) -> Convert | None:
    match shape.kind:
        case Kind.STRUCTURE:
            return _structure(shape, hint)
        case Kind.TIMESTAMP:
            return to_wire
        case Kind.LIST:
            assert shape.item is not None
            convert = _converter(shape.item, get_args(hint)[0])
            return None if convert is None else lambda values: [convert(value) for value in values]
        case Kind.MAP:
            assert shape.value is not None
            inner = _converter(shape.value, get_args(hint)[1])
            if inner is None:
                return dict
            return lambda items: {key: inner(item) for key, item in items.items()}
        case _:
            return None
