"""Write the structs that mirror a service's shapes: `python -m preamp.aws.generate_shapes amplify FILE`.

They are generated rather than written because there are over a hundred, and rather than made at run time
because type checkers and readers need them as text.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from preamp.aws.service import Kind, Member, Overrides, Service, Shape, load_service

_SCALARS = {
    Kind.STRING: "str",
    Kind.INTEGER: "int",
    Kind.FLOAT: "float",
    Kind.BOOLEAN: "bool",
    Kind.TIMESTAMP: "float",
}
_LINE = 110
_HEAD = '''\
"""Inputs, outputs and structures of the service `{name}`, API version {version}.

Generated from botocore's service model, do not edit; a test checks that it is current:
`python -m preamp.aws.generate_shapes {command}`
Longer than other modules because it is one list that nobody writes by hand.

Timestamps are `float`, seconds since the epoch, as on the wire. Enums are plain `str`: the real service also
uses values that its model lacks. `None` is a member that is absent on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec import field

from preamp.model.shape import ShapeStruct
'''


def generate(service: Service, *, command: str) -> str:
    """The whole module as text, formatted as the project's formatter would; its head names the `command`."""
    parts = [_HEAD.format(name=service.name, version=service.api_version, command=command)]
    parts.extend(_struct(service, shape) for shape in _structures(service))
    parts.append(_operation_types(service))
    return "\n\n".join(parts)


def _structures(service: Service) -> list[Shape]:
    """Structures used by inputs and outputs, each after those it refers to."""
    found: dict[str, Shape] = {}
    for operation in service.operations.values():
        for root in (operation.input, operation.output):
            for shape in _reachable(root):
                found.setdefault(shape.name, shape)
    return list(found.values())


def _reachable(shape: Shape) -> Iterator[Shape]:
    inner = [member.shape for member in shape.members] + [
        part for part in (shape.item, shape.key, shape.value) if part is not None
    ]
    for part in inner:
        yield from _reachable(part)
    if shape.kind is Kind.STRUCTURE:
        yield shape


def _struct(service: Service, shape: Shape) -> str:
    lines = [f"class {shape.name}(ShapeStruct, frozen=True, kw_only=True):"]
    lines.append(f'    """{_purpose(service, shape)}"""')
    if shape.members:
        lines.append("")
    ordered = sorted(shape.members, key=lambda member: not member.required)
    if hidden := sorted(member.attribute for member in shape.members if _is_sensitive(member.shape)):
        names = ", ".join(f'"{name}"' for name in hidden)
        lines.append(_call("SENSITIVE: ClassVar[frozenset[str]] = frozenset", f"{{{names}}}"))
    lines.extend(_field(member) for member in ordered)
    return "\n".join(lines) + "\n"


def _purpose(service: Service, shape: Shape) -> str:
    for operation in service.operations.values():
        if operation.input is shape:
            return f"Input of {operation.name}: `{operation.method} {operation.uri}`."
        if operation.output is shape:
            return f"Output of {operation.name}."
    return f"`{shape.name}` of the service model."


def _field(member: Member) -> str:
    declared = f"{member.attribute}: {_type(member.shape)}"
    renamed = f'name="{member.wire_name}"' if _camel(member.attribute) != member.wire_name else None
    if member.required:
        return _call(f"{declared} = field", renamed) if renamed else f"    {declared}"
    if renamed:
        return _call(f"{declared} | None = field", f"default=None, {renamed}")
    return f"    {declared} | None = None"


def _call(start: str, arguments: str) -> str:
    """A line of a class, broken as the formatter breaks it."""
    line = f"    {start}({arguments})"
    return line if len(line) <= _LINE else f"    {start}(\n        {arguments}\n    )"


def _camel(attribute: str) -> str:
    """The name that `rename="camel"` gives."""
    first, *rest = attribute.split("_")
    return first + "".join(part.title() for part in rest)


def _is_sensitive(shape: Shape) -> bool:
    inner = (part for part in (shape.item, shape.key, shape.value) if part is not None)
    return shape.sensitive or any(_is_sensitive(part) for part in inner)


def _type(shape: Shape) -> str:
    if shape.kind is Kind.STRUCTURE:
        return shape.name
    if shape.kind is Kind.LIST:
        assert shape.item is not None
        return f"tuple[{_type(shape.item)}, ...]"
    if shape.kind is Kind.MAP:
        assert shape.value is not None
        return f"Mapping[str, {_type(shape.value)}]"
    return _SCALARS[shape.kind]


def _operation_types(service: Service) -> str:
    entries = "".join(
        f'    "{operation.name}": ({operation.input.name}, {operation.output.name}),\n'
        for operation in service.operations.values()
    )
    return (
        f"OPERATION_TYPES: Mapping[str, tuple[type, type]] = {{\n{entries}}}\n"
        '"""Operation -> its input and output type."""\n'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: SERVICE FILE. Writes the file."""
    parser = argparse.ArgumentParser(prog="python -m preamp.aws.generate_shapes")
    parser.add_argument("service", help="a rest-json service that botocore knows, such as amplify")
    parser.add_argument("file", help="the Python file to write, relative to the project's folder")
    parser.add_argument(
        "--optional",
        metavar="SHAPE.MEMBER",
        action="append",
        default=[],
        help="a member that the model requires and the wire does not",
    )
    options = parser.parse_args(arguments)
    service = load_service(options.service, overrides=Overrides(optional=frozenset(options.optional)))
    flags = "".join(f" --optional {member}" for member in options.optional)
    text = generate(service, command=f"{options.service} {options.file}{flags}")
    Path(options.file).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
