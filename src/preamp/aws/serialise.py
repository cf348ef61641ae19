"""The operation's typed output -> JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec

from preamp.aws.bind import mirror_fields, without_none
from preamp.aws.service import Kind, ModelError, Shape

_encode = msgspec.json.Encoder().encode


def compile_serialiser(shape: Shape, source: type) -> Callable[[Any], bytes]:
    """A function that encodes a `source` (a struct mirroring `shape`); `None` members are left out.

    The struct itself says how it is encoded, so all the work is here, once: to prove that it says what the
    shape does. Raises ModelError when it does not.
    """
    _check(shape, source)
    return _encode


def _check(shape: Shape, source: Any) -> None:
    if shape.kind is Kind.STRUCTURE:
        mirror = mirror_fields(shape, source)
        for member in shape.members:
            field = mirror[member.attribute]
            if field.encode_name != member.wire_name:
                where = f"{source.__name__}.{field.name}"
                raise ModelError(f"{where} is encoded as {field.encode_name}, not {member.wire_name}")
            if not field.required and not (field.default is None and source.__struct_config__.omit_defaults):
                raise ModelError(f"{source.__name__}.{field.name} is not left out when it is None")
            _check(member.shape, without_none(field.type))
    elif shape.kind is Kind.LIST:
        assert shape.item is not None
        _check(shape.item, get_args(source)[0])
    elif shape.kind is Kind.MAP:
        assert shape.value is not None
        _check(shape.value, get_args(source)[1])
