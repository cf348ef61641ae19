"""Where unpacked servers are: in the data folder, or where their own users can enter."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from preamp.build.sandbox.system import reachable
from preamp.build.workspace import remove_tree
from preamp.store.folder import DataFolder

_log = logging.getLogger(__name__)
SHARED = Path("/var/cache/preamp/compute")
RELISTEN = "relisten.cjs"
_OF = "data-folder"


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Folders of the machine's servers."""

    bundles: Path
    work: Path
    """A folder for each running server."""
    relisten: Path
    """The file that Node loads first."""
    logs: Path
    known: Path
    """What releases are started with."""
    sockets: Path


def make_places(folder: DataFolder, owner: tuple[int, int] | None) -> Places:
    """owner: a user that servers run as; None: our own. Doing it twice changes nothing. Raises OSError."""
    base = folder.compute
    if not reachable(base, owner):
        # such as a data folder of root, which nobody else may enter
        base = _shared(folder.root)
    bundles, work = base / "bundles", base / "work"
    own = (folder.compute_logs, folder.compute_known, folder.run / "compute")
    for place in (bundles, work, *own):
        place.mkdir(parents=True, exist_ok=True)
    for place in (base, bundles, work):
        place.chmod(0o711)
    own[1].chmod(0o700)
    return Places(
        bundles=bundles, work=work, relisten=_put_relisten(base), logs=own[0], known=own[1], sockets=own[2]
    )


def remove_leftovers(folder: Path) -> None:
    """Remove what dead processes left half done: its name begins with a pid. Blocking; call at start."""
    for leftover in folder.glob("*-*"):
        pid = leftover.name.removeprefix(".").partition("-")[0]
        if Path(f"/proc/{pid}").exists() and not older_than_boot(leftover):
            continue
        _log.info("removed what a dead process left: %s", leftover)
        if leftover.is_dir():
            remove_tree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def older_than_boot(path: Path) -> bool:
    """Then a pid in its name is another process's now; what was not synced may have been lost."""
    up = float(Path("/proc/uptime").read_text().split()[0])
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime < time.time() - up
    return False


def _put_relisten(base: Path) -> Path:
    """Named by its content, so that two versions of Preamp do not disturb each other."""
    text = Path(__file__).with_name(RELISTEN).read_bytes()
    target = base / f"relisten-{hashlib.sha256(text).hexdigest()[:12]}.cjs"
    if not target.exists() or target.read_bytes() != text:  # as after a power failure
        temporary = target.with_name(f"{target.name}.{os.getpid()}")
        temporary.write_bytes(text)
        temporary.chmod(0o644)
        temporary.rename(target)
    return target


def _shared(root: Path) -> Path:
    """A folder that belongs to the data folder without being in it; those of lost data folders go."""
    SHARED.mkdir(parents=True, exist_ok=True)
    base = SHARED / hashlib.sha256(str(root).encode()).hexdigest()[:16]
    base.mkdir(mode=0o711, exist_ok=True)
    (base / _OF).write_text(str(root))
    for other in SHARED.iterdir():
        note = other / _OF
        if note.is_file() and not Path(note.read_text()).exists():
            _log.info("removed the servers of a data folder that is gone: %s", note.read_text())
            shutil.rmtree(other, ignore_errors=True)
    return base
