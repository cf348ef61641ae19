"""Byte ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST = 16
"""A request for more ranges is answered with the whole file: many tiny ranges are an attack."""

_SPEC = re.compile(r"(\d*)\s*-\s*(\d*)")
_LONGEST = 19


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `start` to `end`, both included."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1


def parse_ranges(value: str, size: int) -> list[Range] | None:
    """The ranges of a file of `size` bytes.

    None: send the whole file (not bytes, not understood, or more than is reasonable). An empty list:
    none of them lies in the file (416).
    """
    unit, equals, specs = value.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    ranges: list[Range] = []
    for count, spec in enumerate(specs.split(",")):
        match = _SPEC.fullmatch(spec.strip())
        if count >= MOST or not match or max(map(len, match.groups())) > _LONGEST:
            return None
        first, last = match.groups()
        if not first and not last:
            return None
        if not first:
            start, end = max(0, size - int(last)), size - 1
        else:
            start, end = int(first), min(int(last), size - 1) if last else size - 1
            if last and int(last) < start:
                return None
        if start <= end and start < size:
            ranges.append(Range(start, end))
    if len(ranges) > 1 and sum(item.length for item in ranges) > size:
        return None
    return ranges
