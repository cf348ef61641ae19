"""Whole requests, by their bytes, whose answer or whose way to another server is prepared.

What a request means depends on its bytes alone, so one that was understood before need not be parsed again.
Only those are here that the memo knew: plain GET and HEAD without a body.
"""

from __future__ import annotations

from preamp.edge.fastlane.memo import Prepared
from preamp.edge.proxy.passage import PreparedRequest
from preamp.store.access_logs import Repetition

LONGEST = 4096
"""Bytes of a request that is remembered."""


class Wording:
    """What became of a request. `line` is None where no access log is written."""

    __slots__ = ("line", "prepared")
    overhead = 512
    """Bytes that one costs besides its own, roughly: its place, its line for the access log."""

    def __init__(self, prepared: Prepared, line: Repetition | None) -> None:
        self.prepared = prepared
        self.line = line


class Wordings:
    """Bounded in bytes; when it is full everything goes, as what is asked for is soon there again."""

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self.limit = limit
        self.size = 0
        self._known: dict[bytes, Wording | PreparedRequest] = {}
        self.get = self._known.get
        """By the bytes of a whole request, from its first to the end of its head."""

    def put(self, request: bytes, wording: Wording | PreparedRequest) -> None:
        if len(request) > LONGEST:
            return
        size = 2 * len(request) + wording.overhead  # the access log's line has much of it too
        if request not in self._known:
            if self.size + size > self.limit:
                self._known.clear()
                self.size = 0
            self.size += size
        self._known[request] = wording

    def __len__(self) -> int:
        return len(self._known)
