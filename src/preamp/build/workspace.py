"""The folder a build happens in: locked while in use, removed afterwards, swept when its owner died."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from preamp.build.errors import BuildError
from preamp.build.request import BuildRequest, Folders
from preamp.build.threads import in_thread

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
GIB = 1024**3
MEMORY_SHARE = 0.4
SMALLEST_MEMORY = 4 * GIB
"""Of available memory, below which workspaces go to disk."""
PREFIX = "preamp-build-"
UNLOCKED_GRACE_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """`files` is what the build sees (src, home, tmp); `output` does not exist until it succeeded."""

    root: Path
    in_memory: bool
    closing: contextlib.ExitStack
    """What has to be undone before the folder is removed."""

    @property
    def tree(self) -> Path:
        """All that builds make, what they made and what they begin with: an overlay may lie here."""
        return self.root / "tree"

    @property
    def files(self) -> Path:
        return self.tree / "files"

    @property
    def source(self) -> Path:
        return self.files / "src"

    @property
    def home(self) -> Path:
        return self.files / "home"

    @property
    def output(self) -> Path:
        return self.tree / "output"

    @property
    def test_output(self) -> Path:
        return self.tree / "tests"

    @property
    def private(self) -> Path:
        """Ours alone: keys for git."""
        return self.root / "private"


@contextlib.asynccontextmanager
async def open_workspace(request: BuildRequest) -> AsyncIterator[Workspace]:
    """A fresh workspace for a run, removed on exit (in a thread). In memory when it probably fits."""
    job = request.job
    parent, in_memory = _parent(request.folders, _estimate(request))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{job.app_id}-{job.branch}-{job.job_id}-{job.attempt}")[-100:]
    async with _open(parent, name, in_memory=in_memory) as workspace:
        yield workspace


@contextlib.asynccontextmanager
async def open_scratch(folders: Folders, name: str) -> AsyncIterator[Workspace]:
    """A workspace for something small that is not a build."""
    parent, in_memory = _parent(folders, 0)
    async with _open(parent, name, in_memory=in_memory) as workspace:
        yield workspace


@contextlib.asynccontextmanager
async def _open(parent: Path, name: str, *, in_memory: bool) -> AsyncIterator[Workspace]:
    root = parent / f"{PREFIX}{name}-{os.urandom(4).hex()}"
    root.mkdir(mode=0o711)
    lock = os.open(root / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.ExitStack() as closing:
            workspace = Workspace(root=root, in_memory=in_memory, closing=closing)
            workspace.tree.mkdir()
            for folder in (root, workspace.tree):
                folder.chmod(0o711)
            for folder in (workspace.files, workspace.home, workspace.files / "tmp", workspace.private):
                folder.mkdir(mode=0o700)
            yield workspace
    finally:
        try:
            await in_thread(remove_tree, root)
        finally:
            os.close(lock)


def sweep(folders: Folders) -> tuple[Path, ...]:
    """Remove what dead runs left behind; the removed folders. Call at start; blocks while it removes."""
    removed = []
    parents = {folders.workspaces} if folders.workspaces else {_own(MEMORY), _own(Path("/var/tmp"))}  # noqa: S108
    for parent in parents:
        found = [root for root in parent.glob(f"{PREFIX}*") if root.is_dir() and not root.is_symlink()]
        for root in abandoned(found):
            remove_tree(root)
            removed.append(root)
    return tuple(removed)


def abandoned(folders: Iterable[Path]) -> Iterator[Path]:
    """Those whose file `lock` nobody holds, locked until the next one is asked for; what has no such file
    counts after a while, for somebody may be about to make it."""
    for folder in folders:
        try:
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > UNLOCKED_GRACE_S:
                    yield folder
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            yield folder
        finally:
            os.close(lock)


def _parent(folders: Folders, estimate: int) -> tuple[Path, bool]:
    if folders.workspaces is not None:
        folders.workspaces.mkdir(parents=True, exist_ok=True)
        return folders.workspaces, False
    need = max(SMALLEST_MEMORY, int(estimate / MEMORY_SHARE))
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and _available() >= need:
        free = shutil.disk_usage(MEMORY).free
        if free >= need // 2:
            return _make_own(MEMORY), True
    return _make_own(Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())), False  # noqa: S108


def _estimate(request: BuildRequest) -> int:
    """Bytes, from what the last build of the same app left: its mirror and its caches."""
    folders = request.folders
    known = 0
    with contextlib.suppress(OSError):
        known += (
            max(
                (path.stat().st_size for path in (folders.caches / request.job.app_id).glob("*/*")), default=0
            )
            * 8
        )
    return known


def _own(parent: Path) -> Path:
    return parent / f"preamp-{os.geteuid()}"


def _make_own(parent: Path) -> Path:
    """Our folder in a folder that everybody may write: nobody else may have made it."""
    folder = _own(parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o711)
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid != os.geteuid():
        raise BuildError(f"{folder} belongs to another user: remove it, or set the folder of workspaces")
    if facts.st_mode & 0o777 != 0o711:
        folder.chmod(0o711)
    return folder


def _available() -> int:
    """Memory that can be used without swapping, in bytes."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 0


def remove_tree(root: Path) -> None:
    """Remove everything, also folders that their owner made unwritable."""
    try:
        shutil.rmtree(root)
    except FileNotFoundError:
        return
    except PermissionError:
        root.chmod(0o700)
        for folder, folders, _ in os.walk(root):
            for path in (Path(folder, name) for name in folders):
                if not path.is_symlink():
                    path.chmod(0o700)  # before it is entered
        shutil.rmtree(root)


def give(path: Path, owner: tuple[int, int] | None) -> None:
    """Make a tree belong to the build; links themselves, not what they point to."""
    if owner is None:
        return
    os.chown(path, *owner, follow_symlinks=False)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(f"{folder}/{name}", *owner, follow_symlinks=False)
