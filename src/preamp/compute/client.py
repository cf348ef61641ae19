"""How an edge process gets at the servers of releases. Imports nothing that could start one.

A server that is in use costs no message: the client keeps a lease and counts. The host asks for the lease
back before it stops a server, so that no request meets one that ends.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from preamp.compute.messages import (
    Broken,
    FromClient,
    FromHost,
    Given,
    Gone,
    Here,
    Kept,
    MessageError,
    Refused,
    Retire,
    Tell,
    Told,
    Want,
    encode,
    read_from_host,
)

_log = logging.getLogger(__name__)
RESTART_SECONDS = 5.0
"""How long visitors wait for a host that has just gone: it is started again in that time."""
RETRY_SECONDS = 0.05


class ComputeUnavailable(Exception):
    """No server of a release. The text is for logs."""

    def __init__(self, status: int, reason: str, *, for_visitor: str) -> None:
        super().__init__(reason)
        self.status = status
        """502: it did not start; 503: no host, or too many servers."""
        self.reason_for_visitor = for_visitor
        """Plain text without anything of the application in it."""


class _Lease:
    __slots__ = ("idle_since", "leaving", "number", "open", "path", "release")

    def __init__(self, number: int, release: str, path: Path, now: float) -> None:
        self.number = number
        self.release = release
        self.path = path
        self.open = 0
        self.idle_since = now
        self.leaving = False
        """Not for new uses."""


class ComputeClient:
    """For one event loop."""

    def __init__(self, socket_path: Path) -> None:
        """socket_path: the control socket of this machine's compute host."""
        self._socket_path = socket_path
        self._numbers = itertools.count(1)
        self._current: dict[str, _Lease] = {}
        """By release: what new uses get."""
        self._held: dict[int, _Lease] = {}
        self._asked: dict[str, asyncio.Task[_Lease]] = {}
        self._answers: dict[int, asyncio.Future[Here]] = {}
        self._releases: dict[int, str] = {}
        """Of unanswered questions."""
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._lost_at: float | None = None
        """Since when the host is away, on the loop's clock; None: it is there, or was never asked."""
        self._closed = False

    @asynccontextmanager
    async def use(self, release_id: str) -> AsyncIterator[Path]:
        """The unix socket of a server of the release, which is started when none runs.

        The server counts as used until the context ends. Entering raises ComputeUnavailable.
        """
        lease = await self._acquire(release_id)
        try:
            yield lease.path
        finally:
            self._give_up(lease)

    def hold(self, release_id: str) -> tuple[Path, Callable[[], None]] | None:
        """As `use`, without waiting: the socket, and what to call at the end; None: no server is known."""
        lease = self._current.get(release_id)
        if lease is None:
            return None
        lease.open += 1
        return lease.path, partial(self._give_up, lease)

    def broken(self, release_id: str, socket_path: Path) -> None:
        """A connection to the server was refused: the next use asks the host, which looks at the server."""
        lease = self._current.get(release_id)
        if lease is None or lease.path != socket_path:
            return
        self._send(Broken(lease.number))
        self._let_go(lease)

    async def close(self) -> None:
        """Give everything back. Uses that wait for a server fail."""
        self._closed = True
        tasks = [task for task in (self._listening, *self._asked.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._forget()

    # Uses

    async def _acquire(self, release: str) -> _Lease:
        lease = self._current.get(release)
        while lease is None or lease.leaving:
            task = self._asked.get(release)
            if task is None:
                task = asyncio.get_running_loop().create_task(self._ask(release))
                self._asked[release] = task
                task.add_done_callback(lambda done: self._answered(release, done))
            try:
                # shielded: others may wait for the same start, and the next visitor is glad of it
                lease = await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise _no_host("this edge process stops") from None
                raise
        lease.open += 1
        return lease

    def _answered(self, release: str, task: asyncio.Task[_Lease]) -> None:
        self._asked.pop(release, None)
        if not task.cancelled():
            task.exception()  # it may be that nobody waits any more

    def _give_up(self, lease: _Lease) -> None:
        lease.open -= 1
        lease.idle_since = asyncio.get_running_loop().time()
        if lease.leaving:
            self._let_go(lease)

    def _let_go(self, lease: _Lease) -> None:
        """No new uses; given back as soon as there is none."""
        lease.leaving = True
        if self._current.get(lease.release) is lease:
            del self._current[lease.release]
        if not lease.open and self._held.pop(lease.number, None) is not None:
            self._send(Given(lease.number))

    # The host

    async def _ask(self, release: str) -> _Lease:
        while True:
            await self._connect()
            number = next(self._numbers)
            answer: asyncio.Future[Here] = asyncio.get_running_loop().create_future()
            self._answers[number] = answer
            self._releases[number] = release
            self._send(Want(number, release))
            try:
                here = await answer
            except ConnectionError:
                continue  # the host died meanwhile; its successor is asked
            finally:
                self._answers.pop(number, None)
                self._releases.pop(number, None)
            lease = self._held.get(here.lease)
            if lease is not None:
                return lease

    async def _connect(self) -> None:
        """Raises ComputeUnavailable when there is no host and it does not come back."""
        loop = asyncio.get_running_loop()
        async with self._connecting:
            while self._writer is None:
                if self._closed:
                    raise _no_host("this edge process stops")
                try:
                    reader, writer = await asyncio.open_unix_connection(self._socket_path)
                except OSError as error:
                    if self._lost_at is None:
                        self._lost_at = loop.time()
                    if loop.time() - self._lost_at > RESTART_SECONDS:
                        raise _no_host(f"{self._socket_path}: {error.strerror or error}") from error
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._lost_at = None
                    self._writer = writer
                    self._listening = loop.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while (message := await read_from_host(reader)) is not None:
                self._heard(message)
        except (MessageError, OSError) as error:
            _log.error("the compute host is not understood: %s", error)
        self._lost_at = asyncio.get_running_loop().time()
        self._forget()

    def _heard(self, message: FromHost) -> None:
        match message:
            case Here(number, number_of_lease, socket):
                answer = self._answers.get(number)
                if answer is None or answer.done():
                    self._send(Given(number_of_lease))
                    return
                release = self._releases[number]
                now = asyncio.get_running_loop().time()
                lease = _Lease(number_of_lease, release, Path(socket), now)
                self._held[number_of_lease] = self._current[release] = lease
                answer.set_result(message)
            case Refused(number, status, reason, for_visitor):
                answer = self._answers.get(number)
                if answer is not None and not answer.done():
                    answer.set_exception(ComputeUnavailable(status, reason, for_visitor=for_visitor))
            case Retire(number_of_lease, idle_seconds):
                self._retire(number_of_lease, idle_seconds)
            case Gone(number_of_lease):
                gone = self._held.pop(number_of_lease, None)
                if gone is not None:
                    self._let_go(gone)
            case Tell(number):
                self._send(Told(number, tuple(self._state(lease) for lease in self._held.values())))

    def _retire(self, number: int, idle_seconds: float | None) -> None:
        lease = self._held.get(number)
        if lease is None:
            return  # given back already, on the way to the host
        state = self._state(lease)
        if idle_seconds is not None and (state.open or state.idle_seconds < idle_seconds):
            self._send(state)
        else:
            self._let_go(lease)

    def _state(self, lease: _Lease) -> Kept:
        idle = 0.0 if lease.open else asyncio.get_running_loop().time() - lease.idle_since
        return Kept(lease.number, lease.open, idle)

    def _send(self, message: FromClient) -> None:
        """Lost when there is no host: it has forgotten all leases as well."""
        if self._writer is not None:
            self._writer.write(encode(message))

    def _forget(self) -> None:
        """The host is gone, and so are its servers."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for lease in self._held.values():
            lease.leaving = True
        self._held.clear()
        self._current.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the compute host is gone"))


def _no_host(reason: str) -> ComputeUnavailable:
    return ComputeUnavailable(
        503,
        f"no compute host runs on this machine ({reason}): start `preamp compute`",
        for_visitor="The server of this site is not available at the moment.",
    )
