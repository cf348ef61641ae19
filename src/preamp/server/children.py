"""A supervised child process: started, watched, started again when it dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass

from preamp.server.roles import Orders, Role

_log = logging.getLogger(__name__)
FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
STABLE_SECONDS = 10.0
"""A child that lived this long starts again without delay."""


@dataclass(slots=True)
class Child:
    """One child process slot; the process in it changes."""

    role: Role
    settings: str
    sock: socket.socket | None
    edge_port: int
    lock_fd: int
    process: asyncio.subprocess.Process | None = None
    stopping: bool = False

    async def keep_running(self, ready: asyncio.Event) -> None:
        """Run the child until `stop`; `ready` is set each time it serves, cleared while it does not."""
        delay = FIRST_DELAY
        while True:
            started = time.monotonic()
            await self._start(ready)
            assert self.process is not None
            status = await self.process.wait()
            ready.clear()
            if self.stopping:
                return
            if status == 0:
                # SIGTERM from outside: somebody wants a fresh process, and the visitors are waiting.
                _log.info("%s (pid %s) was told to end; starting it again", self.role, self.process.pid)
                continue
            lived = time.monotonic() - started
            delay = FIRST_DELAY if lived > STABLE_SECONDS else min(delay * 2, LONGEST_DELAY)
            _log.error(
                "%s (pid %s) %s; starting it again in %.1f s",
                self.role,
                self.process.pid,
                _how_it_died(status),
                delay,
            )
            await asyncio.sleep(delay)

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the grace time."""
        self.stopping = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace_seconds)
        except TimeoutError:
            _log.error("%s (pid %s) did not stop in %.0f s; killed", self.role, process.pid, grace_seconds)
            process.kill()
            await process.wait()

    async def _start(self, ready: asyncio.Event) -> None:
        read_fd, write_fd = os.pipe()
        orders = Orders(
            settings=self.settings,
            listen_fd=self.sock.fileno() if self.sock else None,
            ready_fd=write_fd,
            parent_pid=os.getpid(),
            edge_port=self.edge_port,
        )
        # The lock goes along: the folder is free only when the last of our processes is gone.
        inherited = [write_fd, self.lock_fd, *([self.sock.fileno()] if self.sock else [])]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "preamp.server.child",
            self.role,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=inherited,
        )
        os.close(write_fd)
        stdin = self.process.stdin
        assert stdin is not None
        try:
            stdin.write(orders.encode())
            stdin.close()
            await stdin.wait_closed()
        except (BrokenPipeError, ConnectionResetError):
            _log.debug("%s died before it read its orders", self.role)
        loop = asyncio.get_running_loop()

        def readable() -> None:
            loop.remove_reader(read_fd)
            if os.read(read_fd, 1):
                ready.set()
            os.close(read_fd)

        loop.add_reader(read_fd, readable)


def _how_it_died(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
