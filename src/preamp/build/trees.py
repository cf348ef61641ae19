"""Moving whole trees that a build made; nothing in them is trusted, and no link in them is followed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preamp.build.errors import BuildFailed

MAX_FILES = 500_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A folder, or one file, and where it goes."""

    source: Path
    """No part of it may be a link."""
    target: str
    """Relative to the output, with `/`; empty: the output itself."""
    leave: frozenset[str] = frozenset()
    """Names directly below `source` that stay where they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    files: tuple[str, ...]
    """Regular files relative to the output, sorted."""
    total_bytes: int


def move(
    trees: Iterable[Tree],
    *,
    links: Mapping[str, str],
    output: Path,
    copy: bool,
    warn: Callable[[str], None],
) -> Moved:
    """Move (or copy) the trees below `output`; of two files for one place the first wins.

    links: our own, place and text. They are made where the trees have nothing. The links of the trees come
    last, so that nothing is ever written through one; those that lead out are left out with a warning.
    output holds no links. Raises BuildFailed when there are too many files, or a folder where an
    earlier tree has a file.
    """
    try:
        files, found, total = _move_files(trees, output=output, copy=copy, warn=warn)
        made = _make_links([*links.items(), *found.items()], output=output)
    except (FileExistsError, NotADirectoryError) as error:
        place = Path(error.filename).relative_to(output)
        raise BuildFailed(f"The build output has both a file and a folder for {place}") from error
    drop_stray_links(made, output=output, warn=warn)
    return Moved(files=tuple(sorted(files)), total_bytes=total)


def _move_files(
    trees: Iterable[Tree], *, output: Path, copy: bool, warn: Callable[[str], None]
) -> tuple[list[str], dict[str, str], int]:
    """What was moved, the links that were found (place and text), and the bytes."""
    files: list[str] = []
    found: dict[str, str] = {}
    total = 0
    for tree in trees:
        for source, target, facts in _entries(tree):
            place = output / target
            if stat.S_ISDIR(facts.st_mode):
                place.mkdir(parents=True, exist_ok=True)
                continue
            if len(files) + len(found) >= MAX_FILES:
                raise BuildFailed(f"The build output has more than {MAX_FILES} files")
            if stat.S_ISLNK(facts.st_mode):
                found[target] = str(source.readlink())
            elif not stat.S_ISREG(facts.st_mode):
                warn(f"{target} is left out: it is neither a file nor a folder")
            elif not os.path.lexists(place):
                make_readable(source, facts, 0o600)
                place.parent.mkdir(parents=True, exist_ok=True)
                take(source, place, facts, copy=copy)
                files.append(target)
                total += facts.st_size
    return files, found, total


def _make_links(links: Iterable[tuple[str, str]], *, output: Path) -> list[str]:
    """Those that were made: of two for one place the first wins."""
    made = []
    for target, text in links:
        place = output / target
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(text)
            made.append(target)
    return made


def take(source: Path, place: Path, facts: os.stat_result, *, copy: bool) -> None:
    """Move a regular file, or copy it with its mode: also when it has a second name somewhere."""
    if copy or facts.st_nlink > 1:
        shutil.copy(source, place, follow_symlinks=False)
    else:
        source.rename(place)


def make_readable(path: Path, facts: os.stat_result, mode: int) -> None:
    """Without root, we are the owner and may have to give ourselves the right first."""
    if os.geteuid() != 0 and stat.S_IMODE(facts.st_mode) & mode != mode:
        path.chmod(stat.S_IMODE(facts.st_mode) | mode)


def drop_stray_links(links: Iterable[str], *, output: Path, warn: Callable[[str], None]) -> None:
    """Remove those that lead nowhere or out of `output`, also on the way.

    Rounds, because what is removed may have been what another one led to.
    """
    root = output.resolve()
    waiting = set(links)
    while stray := [link for link in sorted(waiting) if not _stays(root, link)]:
        for link in stray:
            warn(f"{link} is left out: it is a link that leads nowhere or out of the output")
            (root / link).unlink()
        waiting.difference_update(stray)


def _stays(root: Path, link: str) -> bool:
    path = root / link
    text = str(path.readlink())
    depth = len(PurePosixPath(link).parts) - 1
    for part in text.split("/"):
        depth += -1 if part == ".." else 0 if part in {"", "."} else 1
        if depth < 0:
            return False
    if text.startswith("/"):
        return False
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def _entries(tree: Tree) -> Iterator[tuple[Path, str, os.stat_result]]:
    facts = tree.source.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        yield tree.source, tree.target, facts
        return
    waiting = [(tree.source, tree.target, True)]
    while waiting:
        folder, prefix, top = waiting.pop()
        make_readable(folder, folder.lstat(), 0o700)
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            if top and entry.name in tree.leave:
                continue
            facts = entry.stat(follow_symlinks=False)
            target = f"{prefix}/{entry.name}" if prefix else entry.name
            yield Path(entry.path), target, facts
            if stat.S_ISDIR(facts.st_mode):
                waiting.append((Path(entry.path), target, False))
