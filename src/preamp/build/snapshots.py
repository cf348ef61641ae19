"""Unpacked copies of cache archives, that overlays (overlay.py) lay under workspaces.

`caches/.snapshots/{app}.{branch}.{key}/` holds `tree` (like a workspace's), a `lock`, and `about.json`. Made
in the background from the archive, never from a workspace; never changed. Whoever uses one holds its lock
shared; to remove one is to rename it, and to delete it as soon as nobody holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preamp.build import mounts
from preamp.build.archives import unpack
from preamp.build.logs import BuildLog
from preamp.build.request import Folders
from preamp.build.sandbox import Limits, Sandbox
from preamp.build.threads import in_thread
from preamp.build.watchdog import size_of
from preamp.build.workspace import abandoned, open_scratch, remove_tree

FOLDER = ".snapshots"
SLOT = -1
"""Whose user unpacks and owns snapshots: no build's, so that no build could write them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    folder: Path
    content: str
    """Of the archive that it was made from, see `content_of`."""
    size: int
    """Bytes on the disk."""
    used: float
    """When it was made or used last, seconds since the epoch."""
    lock: int
    """The inode of its lock."""

    @property
    def tree(self) -> Path:
        return self.folder / "tree"


class SnapshotError(Exception):
    """It could not be made; the text says why."""


def content_note(archive: Path) -> Path:
    """The file that tells what an archive holds."""
    return archive.with_suffix(".content")


def content_of(archive: Path) -> str | None:
    """A digest of what an archive holds; `None` when that is not known, or there is no archive."""
    try:
        return content_note(archive).read_text()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def held(archive: Path) -> Iterator[Snapshot | None]:
    """The snapshot of exactly this archive, which is not removed meanwhile; `None`: there is none."""
    folder = _folder(archive)
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        snapshot = _read(folder)
        replaced = snapshot is not None and snapshot.lock != os.fstat(lock).st_ino
        if snapshot is None or replaced or snapshot.content != content_of(archive):
            yield None
            return
        os.utime(lock)
        yield snapshot
    finally:
        os.close(lock)


async def make_snapshot(archive: Path, *, sandbox: Sandbox, folders: Folders, max_bytes: int) -> int | None:
    """Unpack an archive, unless that is done. The size; `None` when there is nothing to do.

    max_bytes: of all snapshots together; those that were not used for longest make room. Must run in the
    main thread, by one process at a time. Raises SnapshotError, and OSError such as for a full disk.
    """
    content = content_of(archive)
    with held(archive) as known:
        if known is not None or content is None or mounts.refusal() is not None:
            return None
    root = _root(archive)
    root.mkdir(mode=0o700, exist_ok=True)
    await in_thread(_sweep, root)
    fresh = root / f".new-{os.urandom(8).hex()}"
    fresh.mkdir(mode=0o700)
    lock = os.open(fresh / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree = fresh / "tree"
        await _fill(tree, archive, sandbox, folders, max_bytes)
        size = await in_thread(size_of, tree)
        if content_of(archive) != content or size > max_bytes:
            return None
        (fresh / "about.json").write_text(json.dumps({"content": content, "size": size}))
        await in_thread(bound_snapshots, root.parent, max_bytes - size)
        await in_thread(os.sync)
        _retire(_folder(archive))
        fresh.rename(_folder(archive))
        return size
    finally:
        os.close(lock)
        await in_thread(_sweep, root)


async def _fill(tree: Path, archive: Path, sandbox: Sandbox, folders: Folders, max_bytes: int) -> None:
    owner = sandbox.owner(SLOT)
    files = tree / "files"
    for folder in (tree, files, files / "tmp"):
        folder.mkdir(mode=0o711)
        if owner is not None:  # all of it: in an id-mapped mount not even root may read what nobody owns
            os.chown(folder, *owner)
    said = _Said()
    async with open_scratch(folders, "snapshot") as workspace:
        # the sandbox must be able to reach it, and to nothing else of ours
        mounts.bind(files, workspace.files)
        workspace.closing.callback(mounts.unmount, workspace.files)
        with archive.open("rb") as source:
            code = await unpack(
                source,
                sandbox=sandbox,
                files=workspace.files,
                slot=SLOT,
                log=BuildLog(said),
                in_background=Limits(disk_bytes=max_bytes),
            )
    if code:
        why = said.text[-1000:] or f"ended by {code}; it may take {max_bytes / 1e9:g} GB"
        raise SnapshotError(f"{archive} could not be unpacked: {why}")
    await in_thread(remove_tree, files / "tmp")


class _Said:
    def __init__(self) -> None:
        self.text = ""

    def write(self, data: bytes) -> None:
        self.text += data.decode("utf-8", "replace")


def snapshots(caches: Path) -> list[Snapshot]:
    """All there are."""
    found = (_read(folder) for folder in (caches / FOLDER).glob("[!.]*"))
    return [snapshot for snapshot in found if snapshot is not None]


def snapshots_below(caches: Path, place: Path) -> list[Snapshot]:
    """Those of archives in or below `place`: the folder of an app, or that of one of its branches."""
    begins = ".".join(place.relative_to(caches).parts) + "."
    return [snapshot for snapshot in snapshots(caches) if snapshot.folder.name.startswith(begins)]


def discard_snapshots(caches: Path, place: Path) -> int:
    """Remove those of `snapshots_below`; their bytes. Builds that use one keep it until they end."""
    below = snapshots_below(caches, place)
    for snapshot in below:
        _retire(snapshot.folder)
    _sweep(caches / FOLDER)
    return sum(snapshot.size for snapshot in below)


def _root(archive: Path) -> Path:
    return archive.parents[2] / FOLDER


def _folder(archive: Path) -> Path:
    app, branch = archive.parents[1].name, archive.parent.name
    return _root(archive) / f"{app}.{branch}.{archive.name.partition('.')[0]}"


def _archive(folder: Path) -> Path:
    app, branch, key = folder.name.rsplit(".", 2)
    return folder.parents[1] / app / branch / f"{key}.tar.zst"


def _read(folder: Path) -> Snapshot | None:
    try:
        about = json.loads((folder / "about.json").read_text())
        lock = (folder / "lock").stat()
    except FileNotFoundError:
        return None
    return Snapshot(
        folder=folder, content=about["content"], size=about["size"], used=lock.st_mtime, lock=lock.st_ino
    )


def bound_snapshots(caches: Path, max_bytes: int) -> None:
    """Remove those that were not used for longest until the rest fits, and all whose archive is gone."""
    known = sorted(snapshots(caches), key=lambda snapshot: snapshot.used)
    total = sum(snapshot.size for snapshot in known)
    for snapshot in known:
        stale = content_of(_archive(snapshot.folder)) != snapshot.content
        if stale or total > max_bytes:
            total -= snapshot.size
            _retire(snapshot.folder)
    _sweep(caches / FOLDER)


def _retire(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        folder.rename(folder.with_name(f".old-{os.urandom(8).hex()}"))


def _sweep(root: Path) -> None:
    """Delete what nobody holds any more: retired ones, and what a crash left half made."""
    for folder in abandoned(root.glob(".*")):
        remove_tree(folder)
