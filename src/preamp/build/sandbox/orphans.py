"""What bubblewrap leaves when it is killed in its first moment.

Its child, process 1 of the sandbox, waits for the ids of its user namespace before it asks to die with its
parent. A parent that is killed in between leaves it waiting for ever (seen with bubblewrap 0.8).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from preamp.build.sandbox.base import MARK

PROC = Path("/proc")
PROGRAM = "bwrap"


def kill_orphans() -> tuple[int, ...]:
    """Kill those of Preamp's sandboxes, whichever process began them; their pids. Blocking."""
    killed = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if _is_orphan(entry):
                os.kill(int(entry.name), signal.SIGKILL)
                killed.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended, or is another user's
    return tuple(killed)


def _is_orphan(process: Path) -> bool:
    status = _status(process)
    if status["Name"] != PROGRAM:
        return False
    numbers = status["NSpid"].split()  # in our namespace, and in those below it
    if len(numbers) < 2 or numbers[-1] != "1" or _status(PROC / status["PPid"])["Name"] == PROGRAM:
        return False
    return any(str(fd.readlink()).startswith(f"/memfd:{MARK} ") for fd in (process / "fd").iterdir())


def _status(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
