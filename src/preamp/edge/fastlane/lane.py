"""What the connections of one edge process share."""

from __future__ import annotations

from collections.abc import Callable

from preamp.edge.encodings import preference
from preamp.edge.fastlane.memo import Memo, Pairs
from preamp.edge.fastlane.wordings import Wordings
from preamp.edge.visitors import Trust
from preamp.store.access_logs import AccessLog

MOST_ENCODINGS = 1024


class Lane:
    """Made once, before the protocol class."""

    def __init__(
        self,
        memo: Memo,
        is_stale: Callable[[], bool],
        *,
        trust: Trust | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        self.memo = memo
        self.wordings = Wordings()
        self.trust = trust or Trust()
        self.access_log = access_log
        self.is_stale = is_stale
        """Whether hosting changed and the memo may be wrong; the application then looks first."""
        self._encodings: dict[bytes, tuple[str, ...]] = {}
        self._pairs: Pairs | None = None
        self._lines = b""

    def encoding_class(self, value: bytes) -> tuple[str, ...]:
        """Requests that name the same codings in other words share their answers."""
        found = self._encodings.get(value)
        if found is None:
            if len(self._encodings) >= MOST_ENCODINGS:
                self._encodings.clear()
            found = self._encodings[value] = preference(value.decode("latin-1"))
        return found

    def default_lines(self, pairs: Pairs) -> bytes:
        """The lines of uvicorn's default headers, Date above all, which it renews once a second."""
        if pairs is not self._pairs:
            self._pairs = pairs
            self._lines = b"".join(name + b": " + value + b"\r\n" for name, value in pairs)
        return self._lines
