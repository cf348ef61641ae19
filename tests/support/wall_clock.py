"""A wall clock that a test can set, of Python processes that it starts."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "wrong_clock"


@dataclass
class WallClock:
    """`file` holds the nanoseconds by which the clock is wrong; the processes have it in memory, so that a
    jump reaches all of them at once."""

    file: Path

    def set(self, seconds: int) -> None:
        """Ahead of the real time; negative: behind it."""
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds * 10**9))

    def environment(self) -> dict[str, str]:
        """Of a process that is to live by this clock; its children do, too."""
        self.set(0)
        path = os.pathsep.join(filter(None, (str(FOLDER), os.environ.get("PYTHONPATH"))))
        return {"PYTHONPATH": path, "PREAMP_TEST_CLOCK": str(self.file)}
