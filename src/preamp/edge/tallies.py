"""How many answers of which kind this process gave: plain numbers, so that counting costs nothing."""

from __future__ import annotations

from enum import StrEnum

from preamp.store.counters import Counters


class Source(StrEnum):
    """Where an answer came from."""

    PREPARED = "prepared"
    """The fast lane: the same answer as before, from memory."""
    MADE = "made"
    """The application, from the files and rules of a release."""
    FORWARDED = "forwarded"
    """Another server."""


class Tally:
    """Answers of one kind."""

    __slots__ = ("requests", "sent")

    def __init__(self) -> None:
        self.requests = 0
        self.sent = 0
        """Bytes, with the heads."""


class Tallies:
    """Of one edge process."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, Source], Tally] = {}
        self._by_status: dict[tuple[int, Source], Tally] = {}

    def of(self, status: int, source: Source) -> Tally:
        """To be counted up by whoever sends. 304 is a kind of its own; 0 means that nothing was sent."""
        found = self._by_status.get((status, source))
        if found is None:
            kind = "304" if status == 304 else f"{status // 100}xx" if status else "none"
            found = self._tallies.setdefault((kind, source), Tally())
            self._by_status[(status, source)] = found
        return found

    def show(self, counters: Counters) -> None:
        """Put the numbers where the metrics come from."""
        for (kind, source), tally in list(self._tallies.items()):
            labels = {"status": kind, "source": source.value}
            counters.set("preamp_edge_requests_total", tally.requests, **labels)
            counters.set("preamp_edge_sent_bytes_total", tally.sent, **labels)
