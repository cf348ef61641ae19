"""Take from this process what changing images does not need: decoders of images have had many holes.

No files, no network, no new rights, another user, bounded memory. It dies with its parent.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
from pathlib import Path

MEMORY_BYTES = 2 * 1024**3
"""Address space; half of it is what libraries and threads reserve without using it."""
NOBODY = 65534
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
LANDLOCK_ALL = (1 << 13) - 1
"""Every right to files that the first version of Landlock knows."""

_libc = ctypes.CDLL(None, use_errno=True)


def confine() -> tuple[str, ...]:
    """What the machine does not offer, one short text each.

    Everything has to be imported already, but no thread started: most of this holds only for the thread that
    asks for it and those that it starts.
    """
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("there are threads already, which would stay free")
    _must(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    missing = []
    is_root = os.geteuid() == 0
    if _libc.unshare(CLONE_NEWNET if is_root else CLONE_NEWUSER | CLONE_NEWNET):
        missing.append(f"a network of its own ({os.strerror(ctypes.get_errno())})")
    if not _without_files():
        missing.append(f"Landlock ({os.strerror(ctypes.get_errno())})")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    if is_root:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError as error:  # root of a container that may not become anybody else
            missing.append(f"another user ({error.strerror})")
    # Last, because a change of the user clears it.
    _must(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "dying with the parent")
    return tuple(missing)


def allow_cpu(seconds: float) -> None:
    """This process is killed when it has used so much more processor time, whatever the parent does."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _without_files() -> bool:
    attributes = struct.pack("=Q", LANDLOCK_ALL)
    ruleset = _libc.syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        return bool(_libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _must(failed: int, what: str) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), what)
