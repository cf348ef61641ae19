"""What `envCache --set NAME VALUE` keeps between the builds of a branch.

In the build it is a folder with a file per name; outside one JSON file, written after a success only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from pathlib import Path

from preamp.build.cache import branch_folder
from preamp.build.logs import BuildLog
from preamp.build.workspace import Workspace, give

FOLDER = ".preamp/env-cache"
MAX_BYTES = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def env_cache_file(caches: Path, app_id: str, branch: str) -> Path:
    return branch_folder(caches, app_id, branch) / "environment.json"


def restore(file: Path, workspace: Workspace, owner: tuple[int, int] | None, log: BuildLog) -> None:
    """Lay the values out in the build's home."""
    log.info("# Retrieving environment cache...")
    folder = workspace.home / FOLDER
    folder.mkdir(parents=True)
    try:
        values = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        values = {}
    except ValueError:
        file.unlink()
        values = {}
    for name, value in values.items():
        (folder / name).write_text(value, "utf-8")
    give(workspace.home, owner)
    log.info(f"# Retrieved environment cache ({len(values)} values)")


def save(file: Path, workspace: Workspace, log: BuildLog) -> None:
    """Keep what the build left. The build's processes are dead."""
    log.info("# Starting environment caching...")
    count, warning = _save(file, workspace)
    if warning:
        log.warning(warning)
    log.info(f"# Environment caching completed ({count} values)")


def _save(file: Path, workspace: Workspace) -> tuple[int, str | None]:
    """How many values, and a warning."""
    values: dict[str, str] = {}
    size = 0
    folder = workspace.home / FOLDER
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return 0, "! envCache: its folder was replaced; nothing is kept"
    for path in sorted(folder.iterdir()):
        if not _NAME.fullmatch(path.name) or not stat.S_ISREG(path.lstat().st_mode):
            continue
        size += path.lstat().st_size
        if size > MAX_BYTES:
            return 0, f"! envCache: more than {MAX_BYTES // 1024} KiB; the previous values are kept"
        values[path.name] = path.read_text("utf-8", "replace")
    if not values and not file.exists():
        return 0, None
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".tmp-{os.getpid()}")
    try:
        fresh.write_text(json.dumps(values), "utf-8")
        fresh.replace(file)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        return 0, f"! envCache could not be stored: {error.strerror}"
    return len(values), None
