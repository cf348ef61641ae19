"""The data folder: where everything is, and that only one Preamp uses it at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


class FolderError(Exception):
    """The data folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths inside a data folder."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "preamp.db"

    @property
    def master_key(self) -> Path:
        return self.root / "master.key"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def access(self) -> Path:
        """Access logs of the edge."""
        return self.root / "access"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def mirrors(self) -> Path:
        """Bare git mirrors, one per repository."""
        return self.root / "mirrors"

    @property
    def toolchains(self) -> Path:
        """Node versions that Preamp brought itself."""
        return self.root / "toolchains"

    @property
    def images(self) -> Path:
        """Root file systems of custom build images."""
        return self.root / "images"

    @property
    def optimised(self) -> Path:
        """Images that the edge changed; made again when needed."""
        return self.root / "optimised"

    @property
    def workspaces(self) -> Path:
        """Of running builds, when memory is too small for them."""
        return self.root / "workspaces"

    @property
    def compute(self) -> Path:
        """Of servers of releases: their unpacked files, and what follows."""
        return self.root / "compute"

    @property
    def compute_logs(self) -> Path:
        """What servers print."""
        return self.compute / "logs"

    @property
    def compute_known(self) -> Path:
        """What servers were started with the last time, sealed."""
        return self.compute / "known"

    @property
    def run(self) -> Path:
        """Sockets and the address file of the running server."""
        return self.root / "run"

    def make(self) -> None:
        """Create what is missing. Only the owner may enter: keys and secrets live here."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
            for folder in (
                self.blobs,
                self.logs,
                self.access,
                self.cache,
                self.mirrors,
                self.toolchains,
                self.images,
                self.optimised,
                self.workspaces,
                self.compute,
                self.run,
            ):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise FolderError(
                f"the data folder {self.root} cannot be used: {error.strerror}; "
                "choose another with --data or PREAMP_DATA"
            ) from error

    def lock(self) -> int:
        """Hold the folder until the returned descriptor (or the process) is closed."""
        fd = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            holder = self.lock_holder() or "unknown"
            raise FolderError(
                f"the data folder {self.root} is in use by another Preamp (pid {holder}); "
                "stop it or choose another folder with --data"
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        return fd

    def lock_holder(self) -> int | None:
        """The pid that last took the lock."""
        text = (self.root / "lock").read_text("ascii", "replace").strip()
        return int(text) if text.isdigit() else None

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free
