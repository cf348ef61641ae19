"""Sandboxes without bubblewrap: guard.py holds the build, with whatever the kernel still offers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from preamp.build.errors import SandboxError
from preamp.build.processes import wait_process
from preamp.build.sandbox import cgroups, guard, system
from preamp.build.sandbox.base import FIRST_UID, Launch, Network, SandboxReport, Tier

GUARD = Path(guard.__file__)
NAMESPACES = ("--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL", "--mount-proc", "--")


class GuardedSandbox:
    """Tiers 3 to 5. The build sees its workspace under the machine's own path."""

    def __init__(self, *, report: SandboxReport, hierarchy: cgroups.Hierarchy) -> None:
        self._report = report
        self._hierarchy = hierarchy

    @property
    def report(self) -> SandboxReport:
        return self._report

    def inside(self, workspace: Path) -> PurePosixPath:
        return PurePosixPath(workspace)

    def owner(self, slot: int) -> tuple[int, int] | None:
        if os.geteuid() != 0 or self._report.tier is Tier.NONE:
            return None
        return FIRST_UID + slot, FIRST_UID + slot

    async def start(self, launch: Launch) -> GuardedRunning:
        if launch.root is not None:
            raise SandboxError(
                "custom images need bubblewrap, which this machine does not have or does not allow"
            )
        owner = self.owner(launch.slot)
        group = cgroups.Group(self._hierarchy, launch.limits)
        config_fd = os.memfd_create("preamp", os.MFD_CLOEXEC)
        os.write(config_fd, json.dumps(self._config(launch, owner)).encode())
        os.lseek(config_fd, 0, os.SEEK_SET)
        control_r, control_w = os.pipe2(os.O_CLOEXEC)
        # the guard waits for its configuration, not for a group: it enters the group before it is executed
        gate = 'read -r _ <&"$0"; exec "$@"'
        gate_r, gate_w = os.pipe2(os.O_CLOEXEC)
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns once the shell is executed, milliseconds
                [
                    "/bin/bash", "-c", gate, str(gate_r),
                    *self._namespaces(launch.network),
                    sys.executable, "-I", "-S", str(GUARD), str(config_fd), str(control_r),
                ],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd="/",
                stdin=launch.stdin,
                stdout=launch.stdout,
                stderr=launch.stderr,
                pass_fds=(config_fd, control_r, gate_r, *launch.pass_fds),
                start_new_session=True,
            )  # fmt: skip
            group.join(process.pid)
            os.write(gate_w, b"go\n")
        except OSError as error:
            os.close(control_w)
            group.remove()
            raise SandboxError(f"the sandbox cannot be started: {error}") from error
        finally:
            for fd in (config_fd, control_r, gate_r, gate_w):
                os.close(fd)
        return GuardedRunning(process=process, control=control_w, group=group)

    def _namespaces(self, network: Network) -> Sequence[str]:
        if self._report.tier is not Tier.UNSHARE:
            return ()
        user = () if os.geteuid() == 0 else ("--user", "--map-current-user")
        return ("unshare", *user, *(() if network is Network.SHARED else ("--net",)), *NAMESPACES)

    def _config(self, launch: Launch, owner: tuple[int, int] | None) -> dict[str, object]:
        devices = [f"/dev/{name}" for name in system.DEVICES]
        etc = map(str, (*system.etc_paths(), "/etc/passwd", "/etc/group"))
        return {
            "argv": list(launch.argv),
            "environment": dict(launch.environment),
            "cwd": launch.cwd,
            "uid": owner[0] if owner else None,
            "landlock": self._report.tier is not Tier.NONE,
            "read_only": [
                *system.SYSTEM_FOLDERS,
                *etc,
                "/proc",
                *map(str, launch.read_only),
                *(str(path) for path, _ in launch.mounts),
            ],
            "writable": [str(launch.workspace), *devices],
        }


class GuardedRunning(cgroups.Grouped):
    """See `Running`. Closing `control` makes the guard kill everything it holds, then end."""

    def __init__(self, *, process: subprocess.Popen[bytes], control: int, group: cgroups.Group) -> None:
        super().__init__(process, group)
        self._control = control
        self._removed = False

    async def wait(self) -> int:
        code = await wait_process(self._process)
        self._close()
        if not self._removed:
            self._removed = True
            self._remove_group()
        return code

    def kill(self) -> None:
        self._close()
        with contextlib.suppress(RuntimeError):  # no loop: the guard alone has to do
            asyncio.get_running_loop().call_later(5.0, self._force)

    def _force(self) -> None:
        """The guard itself was tampered with or hangs."""
        if self._process.poll() is None:
            self._process.kill()

    def _close(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1
