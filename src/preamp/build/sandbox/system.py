"""Which parts of the machine a build may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store")
ETC = (
    "alternatives", "ssl", "ca-certificates", "pki", "crypto-policies", "resolv.conf", "hosts",
    "nsswitch.conf", "localtime", "timezone", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "gitconfig",
    "fonts", "chromium.d", "pip.conf", "npmrc", "protocols", "services", "mime.types", "host.conf",
    "gai.conf", "java-17-openjdk", "java-21-openjdk", "python3", "perl", "locale.alias", "login.defs",
    "os-release", "debian_version",
)  # fmt: skip
"""Nothing that could hold a secret; each is also left out when it is not readable by everybody."""

ETC_OF_MACHINE = ("resolv.conf", "hosts")
"""Also with a custom image: how names are looked up is the machine's business."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")


def world_readable(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IROTH) and (not stat.S_ISDIR(mode) or bool(mode & stat.S_IXOTH))


def etc_paths() -> tuple[Path, ...]:
    return tuple(path for name in ETC if world_readable(path := Path("/etc") / name))


def reachable(path: Path, owner: tuple[int, int] | None) -> bool:
    """Whether a process of `owner` can enter the folder; `None`: we ourselves."""
    if owner is None:
        return os.access(path, os.R_OK | os.X_OK)
    return all(
        stat.S_IMODE(folder.stat().st_mode) & stat.S_IXOTH or folder.stat().st_uid == owner[0]
        for folder in (path.resolve(), *path.resolve().parents)
    )
