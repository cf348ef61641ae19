"""What every kind of sandbox offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Protocol

MARK = "preamp"
"""The name of the files in memory that our sandboxes are begun with."""
FIRST_UID = 61000
"""With root, slot n builds as uid (and gid) 61000 + n, so that builds cannot touch each other's files.
In the tier `landlock` the end of a build kills every process of that uid."""


class Tier(StrEnum):
    """How builds are isolated, best first."""

    BWRAP_USERNS = "bwrap-userns"  # bubblewrap in a user namespace, as an ordinary uid
    BWRAP_SETPRIV = "bwrap-setpriv"  # root where user namespaces are forbidden: bubblewrap, then setpriv
    UNSHARE = "unshare-landlock"  # no bubblewrap: PID and mount namespaces by unshare, and Landlock
    LANDLOCK = "landlock"  # no namespaces: own uid when root, Landlock, and a sweep of the processes
    NONE = "none"  # nothing but the operator's explicit permission


class Network(StrEnum):
    """What a program can reach."""

    SHARED = "shared"  # the machine's network
    NONE = "none"  # a namespace of its own with nothing in it but loopback
    JOINED = "joined"  # that of `Launch.network_of`


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A better tier and why this machine does not offer it."""

    tier: Tier
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxReport:
    """What was found by the probe; for `preamp doctor` and the head of every build log."""

    tier: Tier
    summary: str
    """One line for people."""
    rejected: tuple[Rejected, ...]
    uid_per_slot: bool
    limits: str
    """`cgroup v1`, `cgroup v2`, or why there are none."""

    @property
    def weak(self) -> bool:
        return self.tier in {Tier.LANDLOCK, Tier.NONE}

    @property
    def places_files(self) -> bool:
        """Whether a program sees folders at places of its own, not at those of the machine."""
        return self.tier in {Tier.BWRAP_USERNS, Tier.BWRAP_SETPRIV}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`None`: not limited."""

    memory_bytes: int | None = None
    cpus: float | None = None
    processes: int | None = None
    disk_bytes: int | None = None
    """Of the workspace and all in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A program to be run in a sandbox."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    workspace: Path
    """The only folder the program may write, beside `/tmp`, which is `tmp` in it."""
    cwd: str
    """As seen from inside."""
    slot: int
    stdin: int
    stdout: int
    stderr: int
    pass_fds: tuple[int, ...] = ()
    read_only: tuple[Path, ...] = ()
    """Further folders that are visible, at the same path."""
    root: Path | None = None
    """The folder that is `/` for the program, read-only; `None`: the machine's own system folders."""
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[tuple[Path, str], ...] = ()
    """Further files and folders, read-only, each at a place of its own (where the sandbox places files)."""
    tmp_bytes: int | None = None
    """`/tmp` is in memory, bounded, and the only place to write; the workspace is not visible (where the
    sandbox places files)."""
    network: Network = Network.SHARED
    network_of: int | None = None
    """The pid of a process whose user and network namespaces are joined."""


class Running(Protocol):
    """A started program and everything it started."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be limited as asked."""
        ...

    @property
    def pid(self) -> int:
        """Of the process that everything in the sandbox descends from."""
        ...

    @property
    def limited(self) -> frozenset[str]:
        """Which of `memory`, `pids` and `cpu` the kernel limits."""
        ...

    async def wait(self) -> int:
        """The exit code (negative for a signal), once every process of the sandbox is dead."""
        ...

    def kill(self) -> None:
        """Kill everything at once; `wait` then returns."""
        ...

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process because the memory limit was reached. After `wait`."""
        ...


class Sandbox(Protocol):
    """Runs programs that are not trusted."""

    @property
    def report(self) -> SandboxReport:
        """The tier, and why not a better one."""
        ...

    def inside(self, workspace: Path) -> PurePosixPath:
        """Where the program sees `workspace`. Constant where possible: bundlers' caches embed paths."""
        ...

    def owner(self, slot: int) -> tuple[int, int] | None:
        """The uid and gid that must own the workspace; `None`: our own."""
        ...

    async def start(self, launch: Launch) -> Running:
        """Start a program. Call in the main thread. Raises SandboxError."""
        ...
