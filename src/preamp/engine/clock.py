"""A wall clock that does not jump ahead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from preamp.model.times import now_ms


def _since_boot_ms() -> int:
    """Goes on while the machine sleeps, and no one can set it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(slots=True)
class SteadyClock:
    """For deciding that something is old: never later than the wall clock, nor than what the wall clock
    said first plus the time that really passed since. So a clock that is set ahead, by mistake or by a
    broken time server, makes nothing old; one that is set back only lets things be kept longer.
    """

    wall: Callable[[], int] = now_ms
    steady: Callable[[], int] = _since_boot_ms
    _first: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._first = self.wall(), self.steady()

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        wall, steady = self._first
        return min(self.wall(), wall + self.steady() - steady)
