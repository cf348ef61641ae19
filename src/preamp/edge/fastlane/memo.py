"""Prepared answers, and ways to answers, bounded in bytes; those that nobody asked for go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from preamp.edge.answer import Answer
from preamp.edge.tallies import Tally
from preamp.store.access_logs import RepeatedLine

OVERHEAD = 1024
"""Bytes that an entry costs besides those of the answer and the URL, roughly: its key, the Date line."""


Pairs = list[tuple[bytes, bytes]]


class Prepared:
    """An answer in one piece, so that it is written by one call without copying.

    The lines that change with the time (Date) are exchanged when they have: once a second at most.
    """

    __slots__ = ("_rest", "_start", "data", "is_kept", "line", "pairs", "tally", "used_at")

    def __init__(
        self, start: bytes, rest: bytes, line: RepeatedLine | None = None, tally: Tally | None = None
    ) -> None:
        self.data = start + rest
        """As it is sent, once `renew` was called."""
        self.pairs: Pairs | None = None
        """Of the last `renew`."""
        self.line = line
        """For the access log."""
        self.tally = tally or Tally()
        """Where its sendings are counted."""
        self.used_at = time.monotonic()
        """When it was sent last, to about a second."""
        self.is_kept = True
        """Until the memo drops it: then it is not sent any more."""
        self._start = start
        self._rest = len(start)

    @classmethod
    def of(
        cls, answer: Answer, body: bytes, line: RepeatedLine | None = None, tally: Tally | None = None
    ) -> Prepared:
        """The same bytes as the application's."""
        lines = [part for name, value in answer.headers for part in (name, b": ", value, b"\r\n")]
        return cls(STATUS_LINE[answer.status], b"".join([*lines, b"\r\n", body]), line, tally)

    def renew(self, pairs: Pairs, lines: bytes) -> None:
        """Put `lines`, which are the default headers `pairs`, after the status line."""
        rest = memoryview(self.data)[self._rest :]
        self.data = b"".join((self._start, lines, rest))
        self._rest = len(self._start) + len(lines)
        self.pairs = pairs
        self.used_at = time.monotonic()

    def drop(self) -> None:
        """Give the memory back, whoever still knows of it."""
        self.is_kept = False
        self.data = b""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        # The URL is in the key as well as in the line.
        return len(self.data) + OVERHEAD + (2 * self.line.size if self.line else 0)


class Kept(Protocol):
    """What the memo knows of its entries."""

    used_at: float
    """When it was of use last, to about a second, on the monotonic clock."""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        ...

    def drop(self) -> None:
        """It is forgotten."""
        ...


@dataclass(slots=True)
class _Entry:
    answer: Kept
    owner: str
    size: int
    placed_at: float
    """When it got its place in the queue of those that go."""


class Memo:
    """Answers by key. Every entry belongs to an app, so that all of an app's can be dropped at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self.size = 0
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._keys: dict[str, set[Hashable]] = {}

    def get(self, key: Hashable) -> Kept | None:
        found = self._entries.get(key)
        return None if found is None else found.answer

    def put(self, key: Hashable, answer: Kept, *, owner: str) -> None:
        """Larger answers than an eighth of the whole are not kept."""
        size = answer.size
        if size > self.limit // 8:
            return
        self._remove(key)
        self._entries[key] = _Entry(answer, owner, size, answer.used_at)
        self._keys.setdefault(owner, set()).add(key)
        self.size += size
        while self.size > self.limit:
            self._shrink()

    def last_used(self, owner: str) -> float:
        """When an answer of the app was sent last, on the monotonic clock; 0 when it has none."""
        return max((self._entries[key].answer.used_at for key in self._keys.get(owner, ())), default=0.0)

    def drop(self, owner: str) -> None:
        """Forget all answers of an app."""
        for key in list(self._keys.get(owner, ())):
            self._remove(key)

    def _shrink(self) -> None:
        # Which was used is looked at here, so that sending it costs nothing more.
        key, entry = next(iter(self._entries.items()))
        if entry.answer.used_at > entry.placed_at:
            entry.placed_at = entry.answer.used_at
            self._entries.move_to_end(key)
        else:
            self._remove(key)

    def _remove(self, key: Hashable) -> None:
        found = self._entries.pop(key, None)
        if found is None:
            return
        found.answer.drop()
        self.size -= found.size
        keys = self._keys[found.owner]
        keys.discard(key)
        if not keys:
            del self._keys[found.owner]

    def __len__(self) -> int:
        return len(self._entries)
