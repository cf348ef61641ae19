"""Complete prepared answers in memory, bounded in bytes; the least recently used go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from preamp.edge.answer import Answer
from preamp.store.access_logs import RepeatedLine

OVERHEAD = 1024
"""Bytes that an entry costs besides the answer's, roughly: its key, the Date line."""


class Prepared:
    """An answer in one piece, so that it is written by one call without copying.

    The lines that change with the time (Date) are exchanged when they have: once a second at most.
    """

    __slots__ = ("_bytes", "_lines", "_rest", "_start", "line", "used_at")

    def __init__(self, start: bytes, rest: bytes, line: RepeatedLine | None = None) -> None:
        self.line = line
        """For the access log."""
        self.used_at = time.monotonic()
        """When it was sent last, to about a second."""
        self._start = start
        self._lines: bytes | None = None
        self._bytes = start + rest
        self._rest = len(start)

    @classmethod
    def of(cls, answer: Answer, body: bytes, line: RepeatedLine | None = None) -> Prepared:
        """The same bytes that uvicorn makes of the answer."""
        lines = [part for name, value in answer.headers for part in (name, b": ", value, b"\r\n")]
        return cls(STATUS_LINE[answer.status], b"".join([*lines, b"\r\n", body]), line)

    def with_lines(self, lines: bytes) -> bytes:
        """The answer with `lines` after its status line."""
        if lines is not self._lines:
            rest = memoryview(self._bytes)[self._rest :]
            self._bytes = b"".join((self._start, lines, rest))
            self._rest = len(self._start) + len(lines)
            self._lines = lines
            self.used_at = time.monotonic()
        return self._bytes

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self._bytes) + OVERHEAD


class Memo:
    """Answers by key. Every entry belongs to an app, so that all of an app's can be dropped at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self.size = 0
        self._entries: OrderedDict[Hashable, tuple[Prepared, str, int]] = OrderedDict()
        self._keys: dict[str, set[Hashable]] = {}

    def get(self, key: Hashable) -> Prepared | None:
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, answer: Prepared, *, owner: str) -> None:
        """Larger answers than an eighth of the whole are not kept."""
        size = answer.size
        if size > self.limit // 8:
            return
        self._remove(key)
        self._entries[key] = (answer, owner, size)
        self._keys.setdefault(owner, set()).add(key)
        self.size += size
        while self.size > self.limit:
            self._remove(next(iter(self._entries)))

    def last_used(self, owner: str) -> float:
        """When an answer of the app was sent last, on the monotonic clock; 0 when it has none."""
        return max((self._entries[key][0].used_at for key in self._keys.get(owner, ())), default=0.0)

    def drop(self, owner: str) -> None:
        """Forget all answers of an app."""
        for key in list(self._keys.get(owner, ())):
            self._remove(key)

    def _remove(self, key: Hashable) -> None:
        found = self._entries.pop(key, None)
        if found is None:
            return
        _answer, owner, size = found
        self.size -= size
        keys = self._keys[owner]
        keys.discard(key)
        if not keys:
            del self._keys[owner]

    def __len__(self) -> int:
        return len(self._entries)
