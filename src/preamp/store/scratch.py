"""Folders for work that may be killed half-way: the next one removes what a dead one left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_ELSEWHERE = "elsewhere"
"""In a scratch folder: names a file that goes with it."""


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder that only we may enter, removed in the end; those of dead processes are removed first."""
    remove_dead(parent, prefix)
    path, fd = _locked(parent, prefix)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(fd)


def remove_dead(parent: Path, prefix: str) -> int:
    """Remove the folders whose process is gone, with the files that they name; how many there were."""
    removed = 0
    for path in parent.glob(f"{prefix}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            fd = _lock(path)
            try:
                with contextlib.suppress(FileNotFoundError):
                    Path(os.fsdecode((path / _ELSEWHERE).read_bytes())).unlink(missing_ok=True)
                shutil.rmtree(path)
                removed += 1
            finally:
                os.close(fd)
    return removed


def goes_along(scratch: Path, file: Path) -> None:
    """A file that nobody wants when the folder's process is killed. Call it before the file is made."""
    (scratch / _ELSEWHERE).write_bytes(os.fsencode(file))


def _locked(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # Before it is locked somebody else may take it for a dead one's; then another is made.
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            fd = _lock(path)
            if path.exists():
                return path, fd
            os.close(fd)


def _lock(path: Path) -> int:
    """Held as long as this process lives. Raises BlockingIOError when another one holds it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise
    return fd
