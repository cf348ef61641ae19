"""Wake-ups. Between the processes of one machine: datagrams on a unix socket in the data folder. Between
machines: PostgreSQL's NOTIFY, which is part of the transaction and sent by its commit.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from preamp.store.database import Write
from preamp.store.listen import Listener

_log = logging.getLogger(__name__)
SOCKET_NAME = "worker.sock"


class EmbeddedEngine:
    """The engine of one machine: tells the one worker process after each commit."""

    def __init__(self, run_folder: Path) -> None:
        self._address = str(run_folder / SOCKET_NAME)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def wake(self, tx: Write, branch_id: int) -> None:
        tx.after_commit(lambda: self._send(branch_id))

    def _send(self, branch_id: int) -> None:
        try:
            self._socket.sendto(str(branch_id).encode("ascii"), self._address)
        except OSError as error:
            # The worker is down or busy: it scans the table when it starts and once a second.
            _log.debug("wake-up of branch %s not delivered: %s", branch_id, error)


class WakeupListener:
    """The worker's end."""

    def __init__(self, run_folder: Path, on_wakeup: Callable[[int], None]) -> None:
        self._path = run_folder / SOCKET_NAME
        self._on_wakeup = on_wakeup
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        # A socket file left by a killed worker is in the way; the data folder's lock makes sure that
        # no other worker listens on it.
        self._path.unlink(missing_ok=True)
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)
        loop.add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        while True:
            try:
                message = self._socket.recv(64)
            except BlockingIOError:
                return
            if message.isdigit():
                self._on_wakeup(int(message))
            else:
                _log.warning("ignored a wake-up that is not a branch id: %r", message)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._path.unlink(missing_ok=True)


CHANNEL = "preamp_wakeups"


class DistributedEngine:
    """The engine of many machines: every worker hears of the branch, and one of them gets the job."""

    def wake(self, tx: Write, branch_id: int) -> None:
        tx.notify(CHANNEL, str(branch_id))


class DistributedListener:
    """A worker's end."""

    def __init__(self, url: str, on_wakeup: Callable[[int], None]) -> None:
        self._on_wakeup = on_wakeup
        self._listener = Listener(url, {CHANNEL: self._hear})
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listener.start()

    def _hear(self, text: str) -> None:
        assert self._loop is not None, "set before the listener starts"
        self._loop.call_soon_threadsafe(self._on_wakeup, int(text))

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        self._listener.close()
