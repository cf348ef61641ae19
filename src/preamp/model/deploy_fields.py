"""Reading a deploy-manifest.json value by value: every complaint names the field it is about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

E = TypeVar("E", bound=StrEnum)


class DeployManifestError(ValueError):
    """The manifest cannot be used; the text names the field, such as `routes[2].target.kind`."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document and where it stands."""

    value: Any
    place: str
    """Such as `routes[2].target`; empty for the whole document."""

    def wrong(self, what: str) -> DeployManifestError:
        return DeployManifestError(f"{self.place or 'the document'} {what}")

    def need(self, name: str) -> Node:
        """A member of an object. Raises DeployManifestError when it is missing."""
        found = self.get(name)
        if found is None:
            raise DeployManifestError(f"{self._below(name)} is missing")
        return found

    def get(self, name: str) -> Node | None:
        """A member of an object; `null` counts as missing."""
        value = self.members().get(name)
        return None if value is None else Node(value, self._below(name))

    def members(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.wrong(f"has to be an object, not {_kind(self.value)}")
        return self.value

    def unknown(self, *known: str) -> Iterator[str]:
        """Warnings for members that mean nothing."""
        for name in self.members():
            if name not in known:
                yield f"{self._below(name)} is not a field of the specification and is ignored"

    def items(self) -> list[Node]:
        if not isinstance(self.value, list):
            raise self.wrong(f"has to be a list, not {_kind(self.value)}")
        return [Node(item, f"{self.place}[{place}]") for place, item in enumerate(self.value)]

    def text(self, *, may_be_empty: bool = False) -> str:
        if not isinstance(self.value, str):
            raise self.wrong(f"has to be a string, not {_kind(self.value)}")
        if not self.value and not may_be_empty:
            raise self.wrong("is empty")
        return self.value

    def choice(self, kind: type[E]) -> E:
        """One of an enum's values."""
        text = self.text()
        try:
            return kind(text)
        except ValueError:
            raise self.wrong(f"is {text!r}: it has to be one of {', '.join(kind)}") from None

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong(f"has to be true or false, not {_kind(self.value)}")
        return self.value

    def whole(self, *, least: int, most: int) -> int:
        """A whole number; `3.0` is one."""
        value = self.value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(f"has to be a whole number, not {_kind(self.value)}")
        if not least <= value <= most:
            raise self.wrong(f"is {value}: it has to be from {least} to {most}")
        return value

    def _below(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def read_document(text: str) -> Node:
    """Raises DeployManifestError when `text` is not JSON."""
    try:
        return Node(json.loads(text, parse_constant=_refuse), "")
    except RecursionError:
        raise DeployManifestError("the document is nested too deeply") from None
    except ValueError as error:
        raise DeployManifestError(f"the document is not JSON: {error}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
