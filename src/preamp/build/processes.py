"""Starting programs and waiting for their death, on the event loop.

Everything here must run in the main thread: the parent-death signal that keeps builds from outliving
a killed worker follows the spawning thread, not the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


async def wait_pidfd(pidfd: int) -> None:
    """Return when the process behind `pidfd` has died. For the init of a PID namespace that means that
    every process of the namespace is dead: the kernel reports its death only after theirs."""
    loop = asyncio.get_running_loop()
    dead: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        loop.remove_reader(pidfd)
        if not dead.done():
            dead.set_result(None)

    loop.add_reader(pidfd, ready)
    try:
        await dead
    finally:
        loop.remove_reader(pidfd)


def kill_pidfd(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


async def wait_process(process: subprocess.Popen[bytes]) -> int:
    """The exit code; negative for a signal, as in `subprocess`."""
    if process.poll() is None:
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return process.wait()
        try:
            await wait_pidfd(pidfd)
        finally:
            os.close(pidfd)
    return process.wait()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a program left."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self) -> str:
        return self.stderr.decode("utf-8", "replace").strip()


MAX_CAPTURE = 4 * 1024 * 1024


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
) -> Finished:
    """Run a trusted program outside of any sandbox and keep its output (4 MiB of each stream at most).

    Cancellation kills its process group before it is passed on. Raises FileNotFoundError when the
    program is not installed.
    """
    outputs = (_Capture(), _Capture())
    try:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns once the program is executed, milliseconds
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=outputs[0].write_fd,
            stderr=outputs[1].write_fd,
            start_new_session=True,
        )
    except BaseException:
        for capture in outputs:
            capture.close()
        raise
    try:
        for capture in outputs:
            capture.start()
        code = await wait_process(process)
        for capture in outputs:
            await capture.ended(1.0)
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for capture in outputs:
            await capture.ended(1.0)  # when its children are dead too
        raise
    finally:
        for capture in outputs:
            capture.close()
    return Finished(code=code, stdout=bytes(outputs[0].data), stderr=bytes(outputs[1].data))


class _Capture:
    """A pipe whose content is kept, up to a bound."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._read, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read, False)
        self._end = asyncio.Event()
        self._started = False

    def start(self) -> None:
        os.close(self.write_fd)
        self.write_fd = -1
        self._started = True
        asyncio.get_running_loop().add_reader(self._read, self._ready)

    def _ready(self) -> None:
        try:
            block = os.read(self._read, 65536)
        except BlockingIOError:
            return
        if not block:
            asyncio.get_running_loop().remove_reader(self._read)
            self._end.set()
        elif len(self.data) < MAX_CAPTURE:
            self.data += block

    async def ended(self, timeout: float) -> None:
        # not `wait_for`: before Python 3.12 it loses a cancellation that comes with the end
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._end.wait()

    def close(self) -> None:
        if self._started:
            asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        if self.write_fd >= 0:
            os.close(self.write_fd)
