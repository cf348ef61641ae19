"""How long a server that ends by itself waits for its next start: longer each time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from preamp.compute.errors import BackOff

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0
STABLE_SECONDS = 60.0
"""A server that lived for so long begins anew."""
MOST_REMEMBERED = 1000


@dataclass(kw_only=True, slots=True)
class _Failing:
    count: int
    reason: str
    until: float


class Failures:
    """Of all releases of a host."""

    def __init__(self) -> None:
        self._failing: dict[str, _Failing] = {}

    def note(self, release_id: str, reason: str, *, lived_seconds: float) -> float:
        """It ended, or did not start. How long it now waits: after one that had lived, and after a first one,
        not at all."""
        before = self._failing.pop(release_id, None)
        count = 1 if before is None or lived_seconds > STABLE_SECONDS else before.count + 1
        wait = 0.0 if count == 1 else min(FIRST_SECONDS * 2 ** (count - 2), LONGEST_SECONDS)
        while len(self._failing) >= MOST_REMEMBERED:
            del self._failing[next(iter(self._failing))]
        self._failing[release_id] = _Failing(count=count, reason=reason, until=time.monotonic() + wait)
        return wait

    def check(self, release_id: str) -> None:
        """Raises BackOff while it waits."""
        failing = self._failing.get(release_id)
        if failing is not None and (left := failing.until - time.monotonic()) > 0:
            raise BackOff(
                f"the server ended {failing.count} times in a row and is tried again in {left:.0f} s: "
                f"{failing.reason}"
            )

    def forget(self, release_id: str) -> None:
        self._failing.pop(release_id, None)
