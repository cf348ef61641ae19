"""Time as Preamp stores it: integer milliseconds since the Unix epoch, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def seconds(ms: int) -> float:
    """As AWS has it on the wire: `1600408195.766`."""
    return ms / 1000


def milliseconds(epoch_seconds: float) -> int:
    """The opposite of `seconds`."""
    return round(epoch_seconds * 1000)


def iso(ms: int) -> str:
    """`2025-10-08T22:22:34.059Z`, the form Amplify's build logs use."""
    moment = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
