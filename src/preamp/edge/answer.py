"""A complete answer, short of reading the blobs it is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a blob."""

    blob: str
    offset: int
    length: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case; `content-length` is among them unless the status has no body."""
    body: tuple[bytes | Span, ...] = ()
    """Empty for HEAD, whatever `content-length` says."""
    memoise: bool = False
    """Whether the same target with the same accepted encodings gets the same answer until a change."""

    @property
    def length(self) -> int:
        """Bytes of the body that are sent."""
        return sum(len(part) if isinstance(part, bytes) else part.length for part in self.body)


def make_answer(
    status: int,
    headers: dict[str, str],
    body: tuple[bytes | Span, ...] = (),
    *,
    head: bool = False,
    memoise: bool = False,
) -> Answer:
    """Adds the length; values are sent as UTF-8."""
    answer = Answer(status=status, headers=(), body=body)
    wire = [(name.lower().encode("latin-1"), value.encode()) for name, value in headers.items()]
    if status not in {204, 304}:
        wire.append((b"content-length", str(answer.length).encode()))
    return Answer(status=status, headers=tuple(wire), body=() if head else body, memoise=memoise)
