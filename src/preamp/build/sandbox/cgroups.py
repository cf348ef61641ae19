"""Limits by control groups nested under our own; version 2, or version 1 where that is what there is."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from preamp.build.sandbox.base import Limits

MOUNT = Path("/sys/fs/cgroup")
SHARES_OF_PROCESS = 1024
PERIOD_US = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Hierarchy:
    """Where groups can be made, by controller; the same folder for all of them in version 2."""

    version: int
    folders: Mapping[str, Path]
    missing: str
    """Why a controller is not there; empty when all are."""

    @property
    def text(self) -> str:
        if not self.folders:
            return f"none: {self.missing}"
        have = f"cgroup v{self.version} ({', '.join(sorted(self.folders))})"
        return f"{have}; {self.missing}" if self.missing else have


def find() -> Hierarchy:
    """Look at our own control group; makes and removes a group to see whether that is allowed."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError as error:
        return Hierarchy(version=0, folders={}, missing=f"no control groups ({error})")
    own = {
        name: path for _, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")
    }
    if "" in own and (MOUNT / "cgroup.controllers").exists():
        return _find_v2(MOUNT / own[""].lstrip("/"))
    folders: dict[str, Path] = {}
    problems: list[str] = []
    for controller in ("memory", "pids", "cpu"):
        if controller not in own:
            problems.append(f"no {controller} controller")
            continue
        folder = MOUNT / controller / own[controller].lstrip("/")
        if problem := _try(folder):
            problems.append(problem)
        else:
            folders[controller] = folder
    return Hierarchy(version=1, folders=folders, missing="; ".join(problems))


def _find_v2(folder: Path) -> Hierarchy:
    if problem := _try(folder):
        return Hierarchy(version=2, folders={}, missing=problem)
    try:
        enabled = (folder / "cgroup.subtree_control").read_text().split()
    except OSError as error:
        return Hierarchy(version=2, folders={}, missing=str(error))
    wanted = [name for name in ("memory", "pids", "cpu") if name in enabled]
    lacking = [name for name in ("memory", "pids", "cpu") if name not in enabled]
    missing = (
        f"{folder} does not pass on {', '.join(lacking)} (systemd: Delegate=yes and DelegateSubgroup=)"
        if lacking
        else ""
    )
    return Hierarchy(version=2, folders=dict.fromkeys(wanted, folder), missing=missing)


def sweep(hierarchy: Hierarchy) -> None:
    """Remove the groups of processes that died without doing so; those with something in them stay."""
    for folder in set(hierarchy.folders.values()):
        for group in folder.glob("preamp-*-*"):
            owner = group.name.split("-")[1]
            if owner.isdigit() and not Path("/proc", owner).exists():
                with contextlib.suppress(OSError):
                    group.rmdir()


def _try(folder: Path) -> str | None:
    trial = folder / f"preamp-{os.getpid()}-probe-{secrets.token_hex(3)}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        return f"{folder} is not writable ({error.strerror})"
    return None


class Group:
    """The control groups of one sandbox."""

    def __init__(self, hierarchy: Hierarchy, limits: Limits) -> None:
        self.notes: list[str] = []
        self.limited: set[str] = set()
        name = f"preamp-{os.getpid()}-{secrets.token_hex(4)}"
        self._version = hierarchy.version
        limited = {"memory": limits.memory_bytes, "pids": limits.processes, "cpu": limits.cpus}
        wanted = {kind: value for kind, value in limited.items() if value is not None}
        # a group that limits nothing would only cost: in version 1 it counts like one process beside it
        self._folders = {kind: folder / name for kind, folder in hierarchy.folders.items() if kind in wanted}
        for kind in wanted:
            if kind not in self._folders:
                how = "watched, not limited" if kind == "memory" else "not limited"
                self.notes.append(f"{kind} is {how}: this machine has no control group for it")
        for folder in set(self._folders.values()):
            folder.mkdir()
        for kind in self._folders:
            self._limit(kind, wanted[kind])

    def _limit(self, kind: str, value: float) -> None:
        quota = str(int(value * PERIOD_US))
        number = str(int(value))
        files = {
            ("memory", 1): {"memory.limit_in_bytes": number},
            ("memory", 2): {"memory.max": number, "memory.swap.max": "0"},
            ("pids", 1): {"pids.max": number},
            ("pids", 2): {"pids.max": number},
            # shares: in version 1 a whole group counts like one process beside the group
            ("cpu", 1): {
                "cpu.cfs_period_us": str(PERIOD_US),
                "cpu.cfs_quota_us": quota,
                "cpu.shares": str(int(value * SHARES_OF_PROCESS)),
            },
            ("cpu", 2): {"cpu.max": f"{quota} {PERIOD_US}"},
        }[kind, self._version]
        self.limited.add(kind)
        for file, text in files.items():
            try:
                (self._folders[kind] / file).write_text(text)
            except OSError as error:
                if file != "memory.swap.max":  # absent in kernels without swap accounting
                    self.limited.discard(kind)
                    self.notes.append(f"{kind} cannot be limited: {file}: {error.strerror}")

    def join(self, pid: int) -> None:
        for folder in set(self._folders.values()):
            try:
                (folder / "cgroup.procs").write_text(str(pid))
            except OSError as error:
                self.limited -= {kind for kind, place in self._folders.items() if place == folder}
                self.notes.append(f"cannot enter {folder.name}: {error.strerror}")

    def out_of_memory(self) -> bool:
        folder = self._folders.get("memory")
        if folder is None:
            return False
        with contextlib.suppress(OSError):
            name = "memory.events" if self._version == 2 else "memory.oom_control"
            facts = dict(line.split() for line in (folder / name).read_text().splitlines())
            return int(facts.get("oom_kill", "0")) > 0
        return False

    def remove(self) -> None:
        """The processes are dead; the kernel may need a moment to notice."""
        for folder in set(self._folders.values()):
            for _ in range(20):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.002)


class Grouped:
    """What `Running` tells of a program's process and control groups."""

    def __init__(self, process: subprocess.Popen[bytes], group: Group) -> None:
        self._process = process
        self._group = group
        self._oom = False

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._group.notes)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def limited(self) -> frozenset[str]:
        return frozenset(self._group.limited)

    def out_of_memory(self) -> bool:
        return self._oom

    def _remove_group(self) -> None:
        """Every process is dead."""
        self._oom = self._group.out_of_memory()
        self._group.remove()
