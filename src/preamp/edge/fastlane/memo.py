"""Complete prepared answers in memory, bounded in bytes; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from preamp.edge.answer import Answer

JOINED = 16 * 1024
"""Bodies up to this many bytes are kept behind their head, to be written in one piece."""
OVERHEAD = 512
"""Bytes that an entry costs besides its contents, roughly."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An answer; the Date line goes between `start` and `rest`, always fresh."""

    start: bytes
    rest: bytes
    body: bytes
    """Empty when it is part of `rest`."""

    @classmethod
    def of(cls, answer: Answer, body: bytes) -> Prepared:
        """The same bytes that uvicorn makes of the answer."""
        lines = [line for name, value in answer.headers for line in (name, b": ", value, b"\r\n")]
        rest = b"".join([*lines, b"\r\n"])
        start = STATUS_LINE[answer.status]
        if len(body) <= JOINED:
            return cls(start, rest + body, b"")
        return cls(start, rest, body)

    @property
    def size(self) -> int:
        return len(self.start) + len(self.rest) + len(self.body) + OVERHEAD


class Memo:
    """Answers by key. Every entry belongs to an app, so that all of an app's can be dropped at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Bytes."""
        self.size = 0
        self._entries: OrderedDict[Hashable, tuple[Prepared, str]] = OrderedDict()
        self._keys: dict[str, set[Hashable]] = {}

    def get(self, key: Hashable) -> Prepared | None:
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, answer: Prepared, *, owner: str) -> None:
        """Larger answers than an eighth of the whole are not kept."""
        if answer.size > self.limit // 8:
            return
        self._remove(key)
        self._entries[key] = (answer, owner)
        self._keys.setdefault(owner, set()).add(key)
        self.size += answer.size
        while self.size > self.limit:
            self._remove(next(iter(self._entries)))

    def drop(self, owner: str) -> None:
        """Forget all answers of an app."""
        for key in list(self._keys.get(owner, ())):
            self._remove(key)

    def _remove(self, key: Hashable) -> None:
        found = self._entries.pop(key, None)
        if found is None:
            return
        answer, owner = found
        self.size -= answer.size
        keys = self._keys[owner]
        keys.discard(key)
        if not keys:
            del self._keys[owner]

    def __len__(self) -> int:
        return len(self._entries)
