"""Bubblewrap: the build sees system folders read-only, its workspace, and nothing else.

The build's environment goes through `--args` on a descriptor: command lines are visible to every user.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from preamp.build.errors import SandboxError
from preamp.build.processes import kill_pidfd, wait_pidfd, wait_process
from preamp.build.sandbox import cgroups, system
from preamp.build.sandbox.base import FIRST_UID, MARK, Launch, Network, SandboxReport, Tier

INSIDE = PurePosixPath("/workspace")
INSIDE_UID = 1000
START_TIMEOUT_S = 20.0


class BwrapSandbox:
    """Tiers 1 and 2. As root each slot has its own uid; tier 2 works for root only."""

    def __init__(self, *, program: str, report: SandboxReport, hierarchy: cgroups.Hierarchy) -> None:
        self._program = program
        self._report = report
        self._hierarchy = hierarchy
        self._userns = report.tier is Tier.BWRAP_USERNS

    @property
    def report(self) -> SandboxReport:
        return self._report

    def inside(self, workspace: Path) -> PurePosixPath:
        return INSIDE

    def owner(self, slot: int) -> tuple[int, int] | None:
        return (FIRST_UID + slot, FIRST_UID + slot) if os.geteuid() == 0 else None

    async def start(self, launch: Launch) -> BwrapRunning:
        owner = self.owner(launch.slot)
        group = cgroups.Group(self._hierarchy, launch.limits)
        fds = _Fds()
        try:
            info_r, info_w = fds.pipe()
            block_r, block_w = fds.pipe()
            inside_uid = INSIDE_UID if self._userns else (owner or (os.getuid(), 0))[0]
            arguments = [
                *self._namespaces(launch.network),
                *_filesystem(launch),
                *fds.etc_files(inside_uid),
                "--remount-ro", "/",
                "--chdir", launch.cwd if self._userns else "/",
                "--clearenv",
                *_environment(launch, keep_loader=self._userns),
                "--info-fd", str(info_w),
                "--block-fd", str(block_r),
            ]  # fmt: skip
            args_fd = fds.memory("\0".join(arguments).encode() + b"\0")
            drop = owner[0] if owner and self._userns else None
            process = subprocess.Popen(  # noqa: ASYNC220 - returns once bubblewrap is executed, milliseconds
                [
                    *_joining(launch),
                    *(self._program, "--args", str(args_fd), "--"),
                    *self._inner(owner, launch.cwd),
                    *launch.argv,
                ],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd="/",
                stdin=launch.stdin,
                stdout=launch.stdout,
                stderr=launch.stderr,
                pass_fds=(*fds.for_child, *launch.pass_fds),
                start_new_session=True,
                user=drop,
                group=drop,
                extra_groups=None if drop is None else [],
            )
        except BaseException as error:
            fds.close()
            group.remove()
            if isinstance(error, OSError):
                raise SandboxError(f"the sandbox cannot be started: {self._program}: {error}") from error
            raise
        fds.close_child_side()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                init = await _read_init(info_r)
            group.join(init)
            pidfd = os.pidfd_open(init)
            os.write(block_w, b"x")
        except BaseException as error:
            process.kill()
            await wait_process(process)
            group.remove()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise SandboxError(
                "the sandbox did not start; bubblewrap's own message is in the log just above"
            ) from error
        finally:
            fds.close()
        return BwrapRunning(process=process, init=pidfd, group=group)

    def _namespaces(self, network: Network) -> Sequence[str]:
        net = "--unshare-net" if network is Network.NONE else "--share-net"
        common = (net, "--die-with-parent", "--new-session", "--hostname", "build")
        if self._userns:
            ids = ("--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID))
            return ("--unshare-all", "--unshare-user", "--disable-userns", *ids, *common)
        # no user namespace: the capabilities are for setpriv, which drops the uid and then all of them
        spaces = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
        keep = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
        return (*spaces, *common, "--cap-drop", "ALL", *(x for name in keep for x in ("--cap-add", name)))

    def _inner(self, owner: tuple[int, int] | None, cwd: str) -> Sequence[str]:
        if self._userns:
            return ()
        if owner is None:
            raise SandboxError("bubblewrap without user namespaces needs root")
        return (
            "/usr/bin/setpriv", f"--reuid={owner[0]}", f"--regid={owner[1]}", "--clear-groups",
            "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--",
            # only the build itself may enter its folder
            "/bin/sh", "-c", 'cd "$0" && exec "$@"', cwd,
        )  # fmt: skip


def _joining(launch: Launch) -> Sequence[str]:
    """Enters the other process's namespaces; nsenter becomes bubblewrap, so that all descriptors stay."""
    if launch.network is not Network.JOINED:
        return ()
    enter = ("--user", "--net", "--preserve-credentials")
    return ("/usr/bin/nsenter", "--target", str(launch.network_of), *enter, "--")


def _filesystem(launch: Launch) -> Iterator[str]:
    yield from _of_machine() if launch.root is None else _of_image(launch.root)
    yield from ("--dir", "/var/tmp", "--proc", "/proc", "--dev", "/dev")  # noqa: S108
    if launch.tmp_bytes is None:
        yield from ("--tmpfs", "/dev/shm", "--tmpfs", "/run")  # noqa: S108
        yield from ("--bind", str(launch.workspace), str(INSIDE))
        temporary = str(launch.workspace / "tmp")
        yield from ("--bind", temporary, "/tmp", "--bind", temporary, "/var/tmp")  # noqa: S108
    else:
        yield from ("--perms", "1777", "--size", str(launch.tmp_bytes), "--tmpfs", "/tmp")  # noqa: S108
        yield from ("--dir", "/run", "--remount-ro", "/dev")
    for path, place in (*((path, str(path)) for path in launch.read_only), *launch.mounts):
        for parent in reversed(PurePosixPath(place).parents[:-1]):
            yield from ("--dir", str(parent))  # else it would be for root alone
        yield from ("--ro-bind", str(path), place)


def _of_machine() -> Iterator[str]:
    for folder in map(Path, system.SYSTEM_FOLDERS):
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        elif system.world_readable(folder):
            yield from ("--ro-bind", str(folder), str(folder))
    yield from ("--dir", "/etc")
    for path in system.etc_paths():
        yield from ("--ro-bind-try", str(path), str(path))


def _of_image(root: Path) -> Iterator[str]:
    """All of an image but what is ours to give: mount points cannot be made in something read-only."""
    yield from _entries(root, "/", leave_out={"dev", "proc", "sys", "tmp", "run", "etc", "var", INSIDE.name})
    yield from ("--dir", "/etc")
    yield from _entries(root / "etc", "/etc/", leave_out={"passwd", "group", *system.ETC_OF_MACHINE})
    for name in system.ETC_OF_MACHINE:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--dir", "/var")
    yield from _entries(root / "var", "/var/", leave_out={"tmp", "run"})


def _entries(folder: Path, place: str, *, leave_out: set[str]) -> Iterator[str]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in leave_out:
            continue
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), place + path.name)
        else:
            yield from ("--ro-bind", str(path), place + path.name)


def _environment(launch: Launch, *, keep_loader: bool) -> Iterator[str]:
    for name, value in launch.environment.items():
        # without a user namespace setpriv is executed as root: the loader must not obey the build there
        if keep_loader or not name.startswith(("LD_", "GLIBC_TUNABLES")):
            yield from ("--setenv", name, value)


class _Fds:
    """Descriptors of one start: some for the child, some ours."""

    def __init__(self) -> None:
        self.for_child: list[int] = []
        self._ours: list[int] = []

    def pipe(self) -> tuple[int, int]:
        """A pipe; which end the child gets is decided by order: info is written, block is read by it."""
        read, write = os.pipe2(os.O_CLOEXEC)
        if not self._ours:
            self.for_child.append(write)
            self._ours.append(read)
        else:
            self.for_child.append(read)
            self._ours.append(write)
        return read, write

    def memory(self, data: bytes) -> int:
        fd = os.memfd_create(MARK, os.MFD_CLOEXEC)
        self.for_child.append(fd)
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def etc_files(self, uid: int) -> Sequence[str]:
        passwd = f"root:x:0:0:root:/root:/bin/bash\nbuild:x:{uid}:{uid}:build:{INSIDE}/home:/bin/bash\n"
        groups = f"root:x:0:\nbuild:x:{uid}:\n"
        nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        return (
            "--ro-bind-data", str(self.memory((passwd + nobody).encode())), "/etc/passwd",
            "--ro-bind-data", str(self.memory((groups + "nogroup:x:65534:\n").encode())), "/etc/group",
        )  # fmt: skip

    def close_child_side(self) -> None:
        for fd in self.for_child:
            os.close(fd)
        self.for_child = []

    def close(self) -> None:
        self.close_child_side()
        for fd in self._ours:
            os.close(fd)
        self._ours = []


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _read_init(fd: int) -> int:
    """The host's pid of the sandbox's init, from the JSON that arrives in several writes."""
    os.set_blocking(fd, False)
    loop = asyncio.get_running_loop()
    data = b""
    while True:
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(fd, _resolve, ready)
        try:
            await ready
        finally:
            loop.remove_reader(fd)
        block = os.read(fd, 4096)
        data += block
        if not block:
            return int(json.loads(data)["child-pid"])


class BwrapRunning(cgroups.Grouped):
    """See `Running`. `init` is a pidfd of the PID namespace's first process."""

    def __init__(self, *, process: subprocess.Popen[bytes], init: int, group: cgroups.Group) -> None:
        super().__init__(process, group)
        self._init = init
        self._done = False

    async def wait(self) -> int:
        code = await wait_process(self._process)
        if not self._done:
            # the outer bubblewrap ends with the main program; what that left behind goes now
            kill_pidfd(self._init)
            await wait_pidfd(self._init)
            self._done = True
            os.close(self._init)
            self._remove_group()
        return code

    def kill(self) -> None:
        if not self._done:
            kill_pidfd(self._init)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
