"""Collecting what a build made: exactly the selected regular files, nothing that points elsewhere.

Runs after every process of the build is dead, so that what was checked stays as it was.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from preamp.build.errors import BuildFailed
from preamp.build.globs import Selection
from preamp.build.spec import ArtifactRule, normal_root
from preamp.build.trees import MAX_FILES, drop_stray_links, make_readable, take

MAX_LINK_DEPTH = 8
NEVER = frozenset({".git"})
"""At the top of the collected folder, for specs whose `baseDirectory` is the repository itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    output: Path
    file_count: int
    total_bytes: int
    files: tuple[str, ...]
    """Relative to `output`, sorted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    relative: str
    source: Path
    link: bool
    """Whether a symlink was followed to it: then it is copied, else moved."""
    kept: bool
    """It is a symlink and stays one."""
    facts: os.stat_result


def collect(
    rule: ArtifactRule,
    *,
    root: Path,
    workspace: Path,
    output: Path,
    warn: Callable[[str], None],
    copy: bool = False,
    keep_links: str | None = None,
) -> Collected:
    """Move (or copy) the selected files below `root`/baseDirectory to the new folder `output`.

    root: the folder that `baseDirectory` is relative to. workspace: nothing outside of it is ever
    touched. Links that stay below the base folder become copies; others are left out with a warning.
    keep_links: a folder below the base in which links stay links, because Node finds packages by where
    their files really are. Raises BuildFailed when the folder or every file is missing.
    """
    base = find_base(rule, root=root, workspace=workspace)
    try:
        selection = Selection(rule.files)
    except ValueError as error:
        raise BuildFailed(f"`artifacts.files` cannot be used: {error}") from None
    output.mkdir()
    count = total = 0
    taken: set[str] = set()
    links: list[str] = []
    made: set[Path] = {output}
    # copies first: a link may point at a file that is moved after it
    for entry in sorted(_walk(base, warn, keep_links), key=lambda entry: (not entry.link, entry.relative)):
        if entry.relative not in selection:
            continue
        name = entry.relative.rpartition("/")[2] if rule.discard_paths else entry.relative
        if name in taken:
            warn(f"Artifact {entry.relative} is left out: another file is already called {name}")
            continue
        taken.add(name)
        target = output / name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        if entry.kept:
            target.symlink_to(entry.source.readlink())
            links.append(name)
            continue
        take(entry.source, target, entry.facts, copy=copy or entry.link)
        count += 1
        total += entry.facts.st_size
    drop_stray_links(links, output=output, warn=warn)
    if not count:
        raise BuildFailed(
            f"No artifacts: nothing below {_shown(rule)} matches `artifacts.files` ({', '.join(rule.files)})"
        )
    return Collected(
        output=output, file_count=count, total_bytes=total, files=tuple(sorted(taken.difference(links)))
    )


def find_base(rule: ArtifactRule, *, root: Path, workspace: Path) -> Path:
    """The folder that artifacts come from, checked to lie in the workspace."""
    if rule.base_directory is None or not rule.base_directory.strip():
        raise BuildFailed("Artifacts base directory not found in build output, please check your buildSpec")
    try:
        relative = normal_root(rule.base_directory)
    except ValueError:
        relative = rule.base_directory.strip().lstrip("/")
    try:
        base = (root / relative).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise BuildFailed(f"Artifact directory doesn't exist: {_shown(rule)}") from None
    if not base.is_relative_to(workspace.resolve()):
        raise BuildFailed(f"Artifact directory {_shown(rule)} lies outside of the build's workspace")
    if not base.is_dir():
        raise BuildFailed(f"Artifact directory is a file: {_shown(rule)}")
    return base


def _shown(rule: ArtifactRule) -> str:
    return (rule.base_directory or "").strip().strip("/") or "/"


def _walk(base: Path, warn: Callable[[str], None], keep_links: str | None) -> Iterator[_Entry]:
    stack: list[tuple[Path, str, int]] = [(base, "", 0)]
    seen = 0
    while stack:
        folder, prefix, links = stack.pop()
        seen += 1
        make_readable(folder, folder.lstat(), 0o700)
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        if seen > MAX_FILES:
            raise BuildFailed(f"The artifact directory has more than {MAX_FILES} files")
        for entry in found:
            if not prefix and entry.name in NEVER:
                continue
            relative = prefix + entry.name
            path = Path(entry.path)
            linked = links > 0
            kept = entry.is_symlink() and keep_links is not None and relative.startswith(f"{keep_links}/")
            if entry.is_symlink() and not kept:
                target = _followed(path, base, relative, warn)
                if target is None or links >= MAX_LINK_DEPTH:
                    continue
                path, linked = target, True
            try:
                facts = path.lstat()
                relative.encode()
            except UnicodeEncodeError:
                warn(f"Artifact {os.fsencode(relative)!r} is left out: its name is not UTF-8")
                continue
            if stat.S_ISDIR(facts.st_mode):
                stack.append((path, relative + "/", links + entry.is_symlink()))
            elif kept or stat.S_ISREG(facts.st_mode):
                seen += 1
                if not kept:
                    make_readable(path, facts, 0o600)
                yield _Entry(relative=relative, source=path, link=linked, kept=kept, facts=facts)
            else:
                warn(f"Artifact {relative} is left out: it is neither a file nor a folder")


def _followed(link: Path, base: Path, relative: str, warn: Callable[[str], None]) -> Path | None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        warn(f"Artifact {relative} is left out: it is a link to something that does not exist")
        return None
    if not target.is_relative_to(base):
        warn(f"Artifact {relative} is left out: it is a link that leaves the artifact directory")
        return None
    if target.is_dir() and link.is_relative_to(target):
        warn(f"Artifact {relative} is left out: it is a link to a folder it lies in")
        return None
    return target
