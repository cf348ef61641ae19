"""Times on the wire: epoch seconds out; epoch seconds or ISO 8601 in."""

from __future__ import annotations

from datetime import UTC, datetime

# The years 1 to 9999, what `datetime` and therefore every Python client can represent.
_EARLIEST_S = -62135596800
_LATEST_S = 253402300799


def from_wire(value: object) -> float | None:
    """Epoch seconds to the millisecond, or `None` when `value` is no time between the years 1 and 9999.

    Accepts numbers (epoch seconds, any fraction) and ISO 8601 strings; without an offset they are UTC.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return None
    else:
        seconds = value
    if not _EARLIEST_S <= seconds <= _LATEST_S:
        return None
    return round(seconds * 1000) / 1000
