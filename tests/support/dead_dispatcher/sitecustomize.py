"""Loaded by Python before everything else: the dispatcher of a worker fails once, as by a defect of ours,
when there is a job and the file that a variable names."""

import os
import sys

if "preamp.server.child" in sys.orig_argv and "worker" in sys.orig_argv:
    from preamp.engine.dispatch import Dispatcher

    _look_around = Dispatcher._look_around

    async def look_around(self: Dispatcher) -> None:
        if self._looks:
            try:
                os.unlink(os.environ["PREAMP_TEST_DISPATCHER"])  # noqa: PTH108 (nothing else is to be imported here)
            except FileNotFoundError:
                pass
            else:
                raise KeyError("planted")
        await _look_around(self)

    Dispatcher._look_around = look_around
