"""The base of the structures that mirror the shapes of a service model."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class ShapeStruct(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A member of the wire's `jobId` is `job_id` here; `None` is one that is absent.

    A struct and not a dataclass because answers have fifty of them and more: one is made in a fifth of the
    time, and whole answers are encoded without a line of Python.
    """

    SENSITIVE: ClassVar[frozenset[str]] = frozenset()
    """Members that are not in `repr`, and so in no log."""

    def __repr__(self) -> str:
        values = (
            (name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.SENSITIVE
        )
        shown = ", ".join(f"{name}={value!r}" for name, value in values if value is not None)
        return f"{type(self).__name__}({shown})"
