"""Loaded by Python before everything else: the wall clock of this process is wrong by as much as a file says
(tests/support/wall_clock.py). Monotonic clocks are left alone, as they are when a machine's clock is set."""

import mmap
import os
import struct
import time

with open(os.environ["PREAMP_TEST_CLOCK"], "rb") as _file:  # noqa: PTH123 (nothing else is to be imported here)
    _wrong = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)
_time_ns = time.time_ns


def time_ns() -> int:
    return _time_ns() + struct.unpack("q", _wrong)[0]


time.time_ns = time_ns
time.time = lambda: time_ns() / 1e9
