"""What the running code works on, for the lines that it logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Mapping[str, str | int]] = ContextVar("preamp_work", default={})  # noqa: B039 (never changed)


@contextmanager
def working_on(**facts: str | int) -> Iterator[None]:
    """Everything that is logged inside, also in threads that asyncio starts, has these facts."""
    token = _current.set({**_current.get(), **facts})
    try:
        yield
    finally:
        _current.reset(token)


def current_work() -> Mapping[str, str | int]:
    return _current.get()
