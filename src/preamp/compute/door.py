"""The control socket: edge processes come and go, each with the leases that it holds."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from preamp.compute.errors import ComputeError
from preamp.compute.messages import (
    Broken,
    FromClient,
    FromHost,
    Given,
    Here,
    Kept,
    MessageError,
    Refused,
    Tell,
    Told,
    Want,
    encode,
    read_from_client,
)
from preamp.compute.server import ANSWER_SECONDS, Server

if TYPE_CHECKING:
    from preamp.compute.host import Host

_log = logging.getLogger(__name__)


class Door:
    """Listens on the control socket. `host`: opened by the first who wants a server."""

    def __init__(self, open_host: Callable[[], Awaitable[Host]]) -> None:
        self._open_host = open_host
        self._sessions: set[_Session] = set()
        self._conversations: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._listener: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """A socket file that a dead host left is replaced. Raises OSError."""
        path.unlink(missing_ok=True)
        self._listener = await asyncio.start_unix_server(self._come, path=str(path))
        path.chmod(0o600)

    def stop_giving(self) -> None:
        """Nobody comes in any more. Who asks for a server gets no answer: our successor will give one."""
        if self._listener is not None:
            self._listener.close()
        for session in self._sessions:
            session.giving = False

    async def close(self) -> None:
        """Whoever is in goes."""
        self.stop_giving()
        for session in list(self._sessions):
            session.close()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def idle_seconds(self) -> dict[int, float]:
        """See `UseTeller`."""
        answers = await asyncio.gather(
            *(session.tell() for session in self._sessions), return_exceptions=True
        )
        told = [answer for answer in answers if isinstance(answer, Told)]
        return {use.lease: 0.0 if use.open else use.idle_seconds for answer in told for use in answer.uses}

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer, self._open_host, self._numbers)
        self._sessions.add(session)
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        try:
            while (message := await read_from_client(reader)) is not None:
                session.heard(message)
        except (MessageError, ConnectionError) as error:
            _log.warning("an edge process is not understood: %s", error)
        finally:
            self._sessions.discard(session)
            session.close()


class _Session:
    """One edge process."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        open_host: Callable[[], Awaitable[Host]],
        numbers: itertools.count[int],
    ) -> None:
        self.giving = True
        self._writer = writer
        self._open_host = open_host
        self._numbers = numbers
        self._leases: dict[int, tuple[Host, Server]] = {}
        self._told: dict[int, asyncio.Future[Told]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, message: FromHost) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    def heard(self, message: FromClient) -> None:
        match message:
            case Want():
                if self.giving:
                    task = asyncio.create_task(self._give(message))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            case Broken(lease):
                if lease in self._leases:
                    host, server = self._leases[lease]
                    host.broken(server)
            case Given(lease):
                if lease in self._leases:
                    self._leases.pop(lease)[1].given(lease)
            case Kept(lease):
                if lease in self._leases:
                    self._leases[lease][1].kept(message)
            case Told(number):
                answer = self._told.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(message)

    async def tell(self) -> Told:
        """How much it uses what. Raises TimeoutError."""
        number = next(self._numbers)
        answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._told[number] = answer
        self.send(Tell(number))
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        finally:
            del self._told[number]

    async def _give(self, want: Want) -> None:
        try:
            host = await self._open_host()
            server = await host.server_of(want.release)
        except ComputeError as error:
            self._refuse(want, error)
            return
        except Exception as error:  # noqa: BLE001 (a visitor waits for the answer, whatever it is)
            _log.exception("release %s has no server for an unexpected reason", want.release)
            self._refuse(want, ComputeError(f"unexpected: {error}"))
            return
        assert server.instance is not None
        lease = next(self._numbers)
        self._leases[lease] = (host, server)
        server.grant(lease, self)
        self.send(Here(want.number, lease, str(server.instance.socket_path)))

    def _refuse(self, want: Want, error: ComputeError) -> None:
        self.send(Refused(want.number, error.status, str(error), error.for_visitor))

    def close(self) -> None:
        """It is gone, and with it all that it used."""
        for task in self._tasks:
            task.cancel()
        for lease, (_, server) in self._leases.items():
            server.given(lease)
        self._leases.clear()
        self._writer.close()
