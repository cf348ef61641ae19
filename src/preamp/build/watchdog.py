"""Bounds that the kernel does not keep for us: the disk, and memory where there are no control groups."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from preamp.build.sandbox import Limits, Running
from preamp.build.workspace import PREFIX

PERIOD_S = 0.5
RESERVE_BYTES = 256 * 1024 * 1024
"""With less free space the build that holds most of it is ended, before every other one fails."""
PAGE = os.sysconf("SC_PAGE_SIZE")


class Excess(StrEnum):
    """What a build had too much of."""

    MEMORY = "memory"  # of all its processes together
    DISK = "disk"  # its workspace
    SPACE = "space"  # the file system is full, and this build is the largest on it


async def watch(running: Running, limits: Limits, root: Path) -> Excess:
    """Kill the sandbox when it has too much, and return why. root: the workspace's own folder.

    Ends only then, or when it is cancelled.
    """
    memory = None if "memory" in running.limited else limits.memory_bytes
    begun = _used(root)
    while True:
        await asyncio.sleep(PERIOD_S)
        excess: Excess | None = None
        if memory is not None and await asyncio.to_thread(memory_of, running.pid) > memory:
            excess = Excess.MEMORY
        elif limits.disk_bytes is not None:
            excess = await _disk(running.pid, root, begun, limits.disk_bytes)
        if excess is not None:
            running.kill()
            return excess


async def _disk(pid: int, root: Path, begun: int, limit: int) -> Excess | None:
    # Asking the file system is cheap, and enough as long as all that came since is less than allowed.
    facts = os.statvfs(root)
    free = facts.f_bavail * facts.f_frsize
    reserve = min(RESERVE_BYTES, facts.f_blocks * facts.f_frsize // 50)
    if _used(root) - begun < limit and free >= reserve:
        return None
    own = await asyncio.to_thread(taken, root, pid)
    if own > limit:
        return Excess.DISK
    if free < reserve and own >= await asyncio.to_thread(_largest_other, root):
        return Excess.SPACE
    return None


def _used(root: Path) -> int:
    facts = os.statvfs(root)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def _largest_other(root: Path) -> int:
    others = (path for path in root.parent.glob(f"{PREFIX}*") if path != root)
    return max(map(size_of, others), default=0)


def size_of(root: Path) -> int:
    """Bytes that a tree takes, as far as it can be read while it changes; holes do not count."""
    return sum(facts.st_blocks * 512 for facts in _files(root))


def taken(root: Path, pid: int) -> int:
    """`size_of`, and what files take that a process or its descendants hold open though they are deleted."""
    total = 0
    devices = set()  # of an overlay more than one
    for facts in _files(root):
        total += facts.st_blocks * 512
        devices.add(facts.st_dev)
    deleted = {
        (facts.st_dev, facts.st_ino): facts.st_blocks * 512
        for facts in _open_files(pid)
        if facts.st_nlink == 0 and facts.st_dev in devices
    }
    return total + sum(deleted.values())


def _files(root: Path) -> Iterator[os.stat_result]:
    for folder, _, files in os.walk(root, onerror=None):
        for name in files:
            with contextlib.suppress(OSError):
                yield os.lstat(f"{folder}/{name}")


def _open_files(root: int) -> Iterator[os.stat_result]:
    for pid in _tree(root):
        try:
            numbers = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - of many processes, often
        except OSError:
            continue
        for number in numbers:
            with contextlib.suppress(OSError):
                yield os.stat(f"/proc/{pid}/fd/{number}")  # noqa: PTH116 - the same


def memory_of(pid: int) -> int:
    """Bytes that a process and its descendants hold; what they share is divided among them, where the
    kernel tells."""
    return sum(map(_memory, _tree(pid)))


def _memory(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123 - called for every process
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - called for every process
            _, resident, shared, *_ = map(int, file.read().split())
    except OSError:
        return 0
    return (resident - shared) * PAGE


def _tree(root: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - hundreds of entries, often
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123 - called for every process
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        pending += children.get(pid, ())
