"""`cache.paths`: one immutable tar.zst per app, branch and list of paths.

Replaced by one rename, and only after a successful build: a failed or killed build cannot spoil it. Where
there is an unpacked copy (snapshots.py) and the kernel can (overlay.py), nothing is unpacked for a build.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import posixpath
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from preamp.build.archives import pack, unpack
from preamp.build.globs import Selection, has_glob, normal
from preamp.build.logs import BuildLog
from preamp.build.overlay import NoOverlay, lay_under
from preamp.build.sandbox import Sandbox
from preamp.build.snapshots import content_note, content_of, discard_snapshots
from preamp.build.threads import in_thread
from preamp.build.workspace import Workspace

MAX_EXPANDED = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """The cache of one build. `paths` as in the spec, `root` what they are relative to, below `src`."""

    archive: Path
    fallback: Path | None
    """Read when there is no `archive`, never written."""
    paths: tuple[str, ...]
    root: str

    @property
    def has_modules(self) -> bool:
        """Whether it holds node_modules, so that `npm ci` may keep it."""
        return any("node_modules" in path and not path.startswith("!") for path in self.paths)

    def relative(self, pattern: str) -> str | None:
        """Relative to the workspace; `None` when it lies outside."""
        pattern = pattern.strip()
        for home in ("~/", "$HOME/", "${HOME}/"):
            if pattern.startswith(home):
                return _inside("home/" + pattern[len(home) :])
        return _inside(f"src/{self.root}/{pattern}")


def _inside(path: str) -> str | None:
    """`src/apps/web/../../.turbo` is `src/.turbo`; nothing is that leaves `src` or `home`."""
    top = path.partition("/")[0]
    clean = normal(posixpath.normpath(path))
    return clean if clean.startswith(f"{top}/") else None


def cache_of(
    folder: Path,
    *,
    app_id: str,
    branch: str,
    fallback_branch: str | None = None,
    paths: Sequence[str],
    root: str,
    inside: str,
) -> Cache:
    """The cache that belongs to this list of paths; another list starts cold."""
    facts = "\0".join(["1", platform.machine(), inside, root, *paths])
    key = hashlib.sha256(facts.encode()).hexdigest()[:32]
    name = f"{key}.tar.zst"
    fallback = branch_folder(folder, app_id, fallback_branch) / name if fallback_branch else None
    return Cache(
        archive=branch_folder(folder, app_id, branch) / name, fallback=fallback, paths=tuple(paths), root=root
    )


def branch_folder(folder: Path, app_id: str, branch: str) -> Path:
    """Where a branch's archives are; a name of any form makes a folder's name."""
    return folder / app_id / hashlib.sha256(branch.encode()).hexdigest()[:32]


async def restore(cache: Cache, *, sandbox: Sandbox, workspace: Workspace, slot: int, log: BuildLog) -> None:
    """Bring it into the workspace. Whatever is wrong with the archive, the build goes on without it."""
    log.info("# Retrieving cache...")
    archive = cache.archive
    if cache.fallback is not None and not archive.exists() and cache.fallback.exists():
        archive = cache.fallback
        log.info("# This branch has no cache yet: it begins with that of the production branch")
    try:
        source = archive.open("rb")
    except FileNotFoundError:
        log.info("# No cache found: this build starts cold")
        return
    began = time.perf_counter()
    with source:
        size = _mb(os.fstat(source.fileno()).st_size)
        try:
            await in_thread(lay_under, archive, workspace, sandbox.owner(slot))
        except NoOverlay as why:
            log.info(f"# Extracting cache... ({size})")
            how = f"unpacked, for {why}"
        else:
            log.info(f"# Retrieved cache ({size}) in {time.perf_counter() - began:.3f} s (overlay)")
            return
        code = await unpack(source, sandbox=sandbox, files=workspace.files, slot=slot, log=log)
    if code:
        log.warning("! The cache is damaged or does not fit: this build starts cold")
        if archive == cache.archive:
            archive.unlink(missing_ok=True)
        for pattern in cache.paths:
            await _forget(cache, pattern, workspace)
        return
    log.info("# Extraction completed")
    log.info(f"# Retrieved cache ({size}) in {time.perf_counter() - began:.3f} s ({how})")


async def save(cache: Cache, *, sandbox: Sandbox, workspace: Workspace, slot: int, log: BuildLog) -> None:
    """Pack what the patterns name now. A failure costs a warning, never the build."""
    log.info("# Starting caching...")
    names = await in_thread(lambda: sorted(set(_existing(cache, workspace, log))))
    if not names:
        log.info("# Nothing to cache: none of the cache paths exists")
        log.info("# Caching completed")
        return
    content = await in_thread(_digest, workspace.files, names)
    if cache.archive.exists() and content == content_of(cache.archive):
        log.info("# Caching completed: nothing in the cache has changed")
        return
    log.info("# Creating cache artifact...")
    cache.archive.parent.mkdir(parents=True, exist_ok=True)
    fresh = cache.archive.with_suffix(f".tmp-{os.getpid()}-{slot}")
    excluded = [cache.relative(item[1:]) for item in cache.paths if item.startswith("!")]
    try:
        with fresh.open("wb") as target:
            code = await pack(
                names,
                target,
                excludes=[path for path in excluded if path],
                sandbox=sandbox,
                files=workspace.files,
                slot=slot,
                log=log,
            )
        if code:
            log.warning("! The cache could not be created; the previous one is kept")
            return
        size = fresh.stat().st_size
        noted = content_note(cache.archive)
        noted.unlink(missing_ok=True)
        fresh.replace(cache.archive)
        noted.write_text(content)
        log.info(f"# Created cache artifact ({_mb(size)})")
        log.info("# Caching completed")
    except OSError as error:
        log.warning(f"! The cache could not be stored: {error.strerror}")
    finally:
        fresh.unlink(missing_ok=True)


def clear(folder: Path, app_id: str, branch: str | None = None) -> int:
    """Remove the caches of an app or of one branch; the bytes that were freed."""
    place = folder / app_id
    if branch is not None:
        place = branch_folder(folder, app_id, branch)
    freed = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(place)
    return freed + discard_snapshots(folder, place)


def _existing(cache: Cache, workspace: Workspace, log: BuildLog) -> Iterator[str]:
    """What there is to pack, as paths below the workspace; whole folders wherever possible."""
    for pattern in cache.paths:
        if pattern.startswith("!"):
            continue
        relative = cache.relative(pattern)
        if relative is None or pattern.strip().startswith("/root/"):
            log.warning(f"! The cache path {pattern!r} lies outside of the workspace and is not cached")
            continue
        while relative.endswith(("/**/*", "/**", "/*")):
            relative = relative.rpartition("/**")[0] if relative.endswith(("/**/*", "/**")) else relative[:-2]
        yield from _expand(workspace.files, relative.split("/"))


def _expand(base: Path, parts: Sequence[str]) -> Iterator[str]:
    """Folders and files whose path matches, links not followed."""
    fixed = 0
    while fixed < len(parts) and not has_glob(parts[fixed]):
        fixed += 1
    start = base.joinpath(*parts[:fixed])
    for depth in range(1, fixed):
        if base.joinpath(*parts[:depth]).is_symlink():
            return
    if fixed == len(parts):
        if start.exists() or start.is_symlink():
            yield str(start.relative_to(base))
        return
    selection = Selection(["/".join(parts)])
    found = 0
    for folder, folders, files in os.walk(start):
        for name in [*folders, *files]:
            path = os.path.relpath(Path(folder) / name, base)
            if path in selection:
                if name in folders:
                    folders.remove(name)
                found += 1
                if found > MAX_EXPANDED:
                    return
                yield path


def _digest(files: Path, names: Sequence[str]) -> str:
    """Of names, kinds, modes, sizes and times of all that is cached; times as archives keep them."""
    known = hashlib.sha256()
    for name in names:
        _add(known, f"{files}/{name}", name)
        for folder, folders, entries in os.walk(files / name):
            folders.sort()
            for entry in sorted([*folders, *entries]):
                path = f"{folder}/{entry}"
                _add(known, path, path[len(str(files)) :])
    return known.hexdigest()


def _add(known: hashlib._Hash, path: str, name: str) -> None:
    facts = os.lstat(path)
    if stat.S_ISDIR(facts.st_mode):
        text = f"{name} {facts.st_mode}"
    elif stat.S_ISLNK(facts.st_mode):
        text = f"{name} -> {os.readlink(path)}"  # noqa: PTH115 - tens of thousands of them
    else:
        text = f"{name} {facts.st_mode} {facts.st_size} {int(facts.st_mtime)}"
    known.update(text.encode("utf-8", "surrogateescape") + b"\0")


async def _forget(cache: Cache, pattern: str, workspace: Workspace) -> None:
    """Remove what a damaged archive may have left half unpacked; tracked files come from the clone."""
    relative = cache.relative(pattern) if not pattern.startswith("!") else None
    if relative is None:
        return
    for name in await in_thread(lambda: list(_expand(workspace.files, relative.split("/**")[0].split("/")))):
        path = workspace.files / name
        if path.is_dir() and not path.is_symlink() and path not in {workspace.source, workspace.home}:
            await in_thread(shutil.rmtree, path, True)


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
