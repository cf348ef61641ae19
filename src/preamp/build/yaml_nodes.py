"""YAML with positions: a bounded tree of strings, lists and maps.

Scalars stay text (a build spec has no numbers that matter), duplicate keys are errors, and aliases
cannot make the tree grow beyond a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from preamp.build.errors import SpecError

MAX_BYTES = 512 * 1024
MAX_NODES = 50_000
MAX_DEPTH = 40
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """Where something stands, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Text(Value):
    text: str | None
    """`None` for an empty value or `null`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Items(Value):
    items: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entries(Value):
    entries: Mapping[str, Value]
    keys: Mapping[str, Value]
    """Where each key stands."""


def parse(text: str) -> Value:
    """Raises SpecError with position and an excerpt for anything that is not one YAML document."""
    if len(text.encode("utf-8", "surrogateescape")) > MAX_BYTES:
        raise SpecError(f"it is larger than {MAX_BYTES // 1024} KiB")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise error_at(text, _cause(text, line, str(error.problem or error.context)), line, column) from None
    except (YAMLError, ValueError) as error:  # characters YAML does not allow
        raise SpecError(str(error).splitlines()[0]) from None
    except RecursionError:
        raise SpecError("it is nested too deeply") from None
    if node is None:
        return Text(line=1, column=1, text=None)
    return _Reader(text).read(node, 0)


def _cause(text: str, line: int, problem: str) -> str:
    if problem.startswith("found character '\\t'"):
        return "a tab is used for indentation; YAML allows spaces only"
    if problem == "but found another document":
        return "it must be one YAML document: remove the second `---`"
    return problem


def error_at(text: str, message: str, line: int, column: int) -> SpecError:
    """An error with the lines around its place."""
    lines = text.split("\n")
    first = max(line - 2, 1)
    shown = [
        f"{number:>4} | {lines[number - 1][:160]}"
        for number in range(first, min(line + 1, len(lines)) + 1)
        if line
    ]
    if line and column <= 160:
        shown.insert(line - first + 1, " " * (6 + column) + "^")
    return SpecError(message, line=line, column=column, excerpt="\n".join(shown))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._left = MAX_NODES

    def _fail(self, node: Node, message: str) -> SpecError:
        return error_at(self._text, message, node.start_mark.line + 1, node.start_mark.column + 1)

    def read(self, node: Node, depth: int) -> Value:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise self._fail(node, "it is too large or too deep once its aliases are expanded")
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if isinstance(node, ScalarNode):
            empty = str(node.tag) == _NULL or (
                not node.style and node.value in {"", "~", "null", "Null", "NULL"}
            )
            return Text(line=line, column=column, text=None if empty else str(node.value))
        if isinstance(node, SequenceNode):
            return Items(
                line=line, column=column, items=tuple(self.read(item, depth + 1) for item in node.value)
            )
        if not isinstance(node, MappingNode):
            raise self._fail(node, "it holds something that is neither text, list nor map")
        entries: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        keys: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self._fail(key_node, "a key must be plain text")
            key = str(key_node.value)
            if key == "<<":
                merged |= self._merge(value_node, depth)
                continue
            if key in entries:
                raise self._fail(key_node, f"duplicated mapping key `{key}`")
            keys[key] = Value(line=key_node.start_mark.line + 1, column=key_node.start_mark.column + 1)
            entries[key] = self.read(value_node, depth + 1)
        return Entries(
            line=line,
            column=column,
            entries=merged | entries,
            keys={name: Value(line=value.line, column=value.column) for name, value in merged.items()} | keys,
        )

    def _merge(self, node: Node, depth: int) -> dict[str, Value]:
        value = self.read(node, depth + 1)
        sources = value.items if isinstance(value, Items) else (value,)
        result: dict[str, Value] = {}
        for source in reversed(sources):
            if not isinstance(source, Entries):
                raise self._fail(node, "`<<` must merge a map")
            result |= source.entries
        return result


def plain(value: Value) -> object:
    """As nested dicts, lists and strings, for JSON."""
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Items):
        return [plain(item) for item in value.items]
    if isinstance(value, Entries):
        return {key: plain(item) for key, item in value.entries.items()}
    raise TypeError(type(value).__name__)
