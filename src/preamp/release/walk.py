"""Listing what a folder publishes, trusting nothing in it: the folder was written by a build."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preamp.release.errors import PublishError

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A regular file to publish."""

    path: str
    """In the site, with `/`, without a leading one."""
    real: Path
    """Where its bytes are: no part of it below the folder is a symbolic link."""
    size: int
    """Bytes, when it was listed."""


def walk(folder: Path, *, within: Path | None = None) -> Iterator[Found]:
    """Every file below `folder`, in the order of names.

    Symbolic links inside the folder are followed when they stay inside, or `within` that folder around it.
    Raises PublishError, naming the path, for links that leave or lead nowhere or in a circle, for anything
    that is not a file or folder, and for names that are not UTF-8.
    """
    root = (within or folder).resolve(strict=True)
    real = folder.resolve(strict=True)
    if not real.is_relative_to(root):
        raise PublishError(
            f"{folder.name} is a symbolic link to {folder.readlink()}, outside of the published folder: "
            "copy the files instead"
        )
    yield from _walk(root, real, "", (real,))


def _walk(root: Path, real: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[Found]:
    with os.scandir(real) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + checked_name(prefix, entry.name)
        target, info = Path(entry.path), entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            target = _resolved(root, target, path)
            info = target.lstat()
        if stat.S_ISREG(info.st_mode):
            yield Found(path=path, real=target, size=info.st_size)
        elif stat.S_ISDIR(info.st_mode):
            if target in above:
                raise PublishError(f"{path} is a symbolic link to a folder that contains it: remove it")
            yield from _walk(root, target, path + "/", (*above, target))
        else:
            raise PublishError(
                f"{path} is {kind_of(info.st_mode)}, which cannot be published: remove it from the output"
            )


def kind_of(mode: int) -> str:
    """For messages about what is neither a file nor a folder."""
    return _KINDS.get(stat.S_IFMT(mode), "neither a file nor a folder")


def checked_name(prefix: str, name: str) -> str:
    """Raises PublishError for a name that is not UTF-8; `prefix` is told with it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = prefix + name.encode("utf-8", "surrogateescape").decode("latin-1")
        raise PublishError(f"the file name {shown!r} is not UTF-8: rename it") from None
    return name


def _resolved(root: Path, link: Path, path: str) -> Path:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise PublishError(
            f"{path} is a symbolic link to {link.readlink()}, which does not exist: remove it"
        ) from None
    if not target.is_relative_to(root):
        raise PublishError(
            f"{path} is a symbolic link to {link.readlink()}, outside of the published folder: "
            "copy the file instead"
        )
    return target
