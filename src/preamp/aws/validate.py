"""Every constraint of the service model, checked on wire values (input documents and whole answers).

A violation names the member's path and the constraint, never the value: values may be secrets, and may be
long. Paths are written as AWS writes them: `customRules.2.member.source`, counted from one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from preamp.aws.service import Kind, Shape
from preamp.aws.timestamps import from_wire
from preamp.model.errors import BadRequest

_MAX_MESSAGE = 255


def validate(shape: Shape, document: Mapping[str, Any]) -> None:
    """Raises BadRequest when `document` breaks a constraint of the structure `shape`.

    The message counts all violations and states as many as fit into 255 characters.
    """
    found = [f"{path} failed to satisfy constraint: {text}" for path, text in violations(shape, document)]
    if not found:
        return
    count = len(found)
    message = f"{count} validation error{'s' if count > 1 else ''} detected: {found[0]}"
    for text in found[1:]:
        if len(message) + 2 + len(text) > _MAX_MESSAGE:
            break
        message += f"; {text}"
    raise BadRequest(message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 3] + "...")


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each violation as (`Value at 'path'`, constraint). Serves tests that check whole answers, too."""
    problem = _type_problem(shape, value) or _size_problem(shape, value) or _text_problem(shape, value)
    if problem:
        yield _at(path), problem
        return
    match shape.kind:
        case Kind.STRUCTURE:
            yield from _in_structure(shape, value, path)
        case Kind.LIST:
            assert shape.item is not None
            for number, item in enumerate(value, 1):
                yield from violations(shape.item, item, f"{path}.{number}.member")
        case Kind.MAP:
            yield from _in_map(shape, value, path)
        case _:
            pass


def _in_structure(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for member in shape.members:
        here = f"{path}.{member.name}" if path else member.name
        # At the top `parse` has already put model names; deeper down it is the client's own object.
        found = value.get(member.wire_name if path else member.name)
        if found is not None:
            yield from violations(member.shape, found, here)
        elif member.required:
            yield _at(here), "Member must not be null"


def _in_map(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    assert shape.key is not None
    assert shape.value is not None
    bad_keys: set[str] = set()
    bad_values: set[str] = set()
    for key, item in value.items():
        if problem := _size_problem(shape.key, key) or _text_problem(shape.key, key):
            bad_keys.add(problem)
        if shape.value.kind in {Kind.STRUCTURE, Kind.LIST, Kind.MAP}:
            yield from violations(shape.value, item, f"{path}.{key[:40]}.member")
        elif problem := (
            _type_problem(shape.value, item)
            or _size_problem(shape.value, item)
            or _text_problem(shape.value, item)
        ):
            bad_values.add(problem)
    if bad_keys:
        yield _at(path), f"Map keys must satisfy constraint: [{', '.join(sorted(bad_keys))}]"
    if bad_values:
        yield _at(path), f"Map value must satisfy constraint: [{', '.join(sorted(bad_values))}]"


def _at(path: str) -> str:
    return f"Value at '{path}'"


def _type_problem(shape: Shape, value: Any) -> str | None:
    if value is None:
        return "Member must not be null"
    match shape.kind:
        case Kind.STRUCTURE | Kind.MAP:
            return None if isinstance(value, dict) else "Member must be a JSON object"
        case Kind.LIST:
            return None if isinstance(value, list) else "Member must be a list"
        case Kind.STRING:
            return None if isinstance(value, str) else "Member must be a string"
        case Kind.BOOLEAN:
            return None if isinstance(value, bool) else "Member must be a boolean"
        case Kind.INTEGER:
            whole = isinstance(value, int) and not isinstance(value, bool)
            return None if whole else "Member must be an integer"
        case Kind.FLOAT:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return None if number else "Member must be a number"
        case Kind.TIMESTAMP:
            return None if from_wire(value) is not None else "Member must be a timestamp in epoch seconds"


def _size_problem(shape: Shape, value: Any) -> str | None:
    low, high = shape.minimum, shape.maximum
    if low is None and high is None:
        return None
    numeric = shape.kind in {Kind.INTEGER, Kind.FLOAT}
    measure = "value" if numeric else "length"
    size = value if numeric else len(value)
    if low is not None and size < low:
        return f"Member must have {measure} greater than or equal to {low}"
    if high is not None and size > high:
        return f"Member must have {measure} less than or equal to {high}"
    return None


def _text_problem(shape: Shape, value: Any) -> str | None:
    # After the size: patterns only ever see text of bounded length.
    if shape.enum and value not in shape.enum:
        return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    if shape.regex is not None and not shape.regex.fullmatch(value):
        return f"Member must satisfy regular expression pattern: {shape.pattern}"
    return None
