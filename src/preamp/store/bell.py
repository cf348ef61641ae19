"""Tells the edges of one machine at once that hosting changed: eight bytes of shared memory.

An edge looks at them on every request, which costs nothing, so that a page asked for after a job's success
is the new one, from whichever edge process. The change log in the database stays the truth; edges read it
again now and then, in case a process died between its commit and its ring.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Protocol

_SIZE = 8


class ChangeSignal(Protocol):
    """How a process of an edge learns at once that hosting changed."""

    @property
    def value(self) -> int:
        """Compare with what was seen before: any difference means "read the change log". Costs nothing."""


class Bell:
    """A number in a small file next to the database, mapped by every process."""

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size < _SIZE:
                os.ftruncate(fd, _SIZE)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        self._value = memoryview(self._map).cast("Q")

    def ring(self, sequence: int) -> None:
        """Show the number of a committed change; each change has one of its own."""
        struct.pack_into("=Q", self._map, 0, sequence)

    @property
    def value(self) -> int:
        """Compare with what was seen before: any difference means "read the change log"."""
        return self._value[0]

    def close(self) -> None:
        self._value.release()
        self._map.close()
