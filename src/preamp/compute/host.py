"""The servers of a machine: started when wanted, once for all who want it, and stopped when unused."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from preamp.compute.bundles import Bundles
from preamp.compute.errors import ComputeError, StartError, TooMany, UnknownRelease
from preamp.compute.facts import Facts
from preamp.compute.failures import Failures
from preamp.compute.instance import Machine, start_instance
from preamp.compute.logs import LogFile, ServerLog, log_file
from preamp.compute.server import Server, ServerState
from preamp.store.counters import PROCESS

_log = logging.getLogger(__name__)
FIRST_SLOT = 2048
"""Of sandboxes: those below are for builds."""
STOP_SECONDS = 5.0
"""For a server that nobody uses to end by itself."""
CUT_SECONDS = 0.5
"""For one that is still used when its time is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How many servers, and how long."""

    servers: int
    idle_seconds: float
    drain_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a release's server is to be started with."""

    facts: Facts
    served: bool
    """Whether its branch serves it now."""


class UseTeller(Protocol):
    """Knows how much the servers are used: the host asks before it takes one away."""

    async def idle_seconds(self) -> dict[int, float]:
        """By lease: how long it was unused, 0 for one in use. A lease that is missing counts as used."""


class Host:
    """All servers of this machine. For one event loop, in the main thread."""

    def __init__(
        self,
        *,
        machine: Machine,
        bundles: Bundles,
        limits: Limits,
        find: Callable[[str], Awaitable[Wanted]],
        teller: UseTeller,
    ) -> None:
        """find: what a release is started with; raises ComputeError."""
        self._machine = machine
        self._bundles = bundles
        self._limits = limits
        self._find = find
        self._teller = teller
        self._servers: dict[str, Server] = {}
        """Those that are given to whoever wants them, by release."""
        self._all: set[Server] = set()
        """And those that start or retire."""
        self._slots: set[int] = set()
        self._failures = Failures()
        self._looks: dict[Server, asyncio.Task[None]] = {}
        """At servers that refused a connection."""
        self._making_room = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets = itertools.count(1)
        self._stopping = False

    @property
    def running(self) -> list[Server]:
        """Those that are given to whoever wants them."""
        return [server for server in self._servers.values() if server.state is ServerState.RUNNING]

    async def server_of(self, release_id: str) -> Server:
        """A running server; until the caller awaits something it stays so. Raises ComputeError."""
        while True:
            server = self._servers.get(release_id)
            if server is not None and server in self._looks:
                await asyncio.shield(self._looks[server])
                continue
            if server is None:
                if self._stopping:
                    raise StartError("the compute host stops")
                self._failures.check(release_id)
                server = self._servers[release_id] = Server(release_id=release_id)
                self._all.add(server)
                server.starting = asyncio.create_task(self._start(server))
                server.starting.add_done_callback(lambda task: task.cancelled() or task.exception())
            assert server.starting is not None
            await asyncio.shield(server.starting)
            if server.state is ServerState.RUNNING:
                return server

    def warm(self, release_id: str) -> None:
        """Start it in the background."""
        self._spawn(self._warm(release_id))

    async def _warm(self, release_id: str) -> None:
        with contextlib.suppress(ComputeError):  # it is in the log, and told to the next visitor
            await self.server_of(release_id)

    # Start

    async def _start(self, server: Server) -> None:
        release_id = server.release_id
        try:
            wanted = await self._find(release_id)
            server.facts, server.served = wanted.facts, wanted.served
            file = log_file(self._machine.places.logs, wanted.facts.branch_id, wanted.facts.job)
            server.log = ServerLog(LogFile(file), secrets=wanted.facts.secrets.values())
            async with self._making_room:
                await self._make_room(server)
            begun = time.monotonic()
            server.bundle = await self._bundles.open(wanted.facts.compute)
            server.slot = self._take_slot()
            socket_path = self._machine.places.sockets / f"{os.getpid()}-{next(self._sockets)}.sock"
            server.instance = await start_instance(
                self._machine,
                wanted.facts,
                bundle=server.bundle.folder,
                slot=server.slot,
                log=server.log,
                socket_path=socket_path,
            )
        except ComputeError as error:
            self._leave(server)
            self._note_failed(server, error)
            raise
        except Exception as error:
            self._leave(server)
            _log.exception("release %s has no server for an unexpected reason", release_id)
            unexpected = StartError(f"unexpected: {error}")
            self._note_failed(server, unexpected)
            raise unexpected from error
        except asyncio.CancelledError:
            self._leave(server)
            raise
        seconds = time.monotonic() - begun
        server.state = ServerState.RUNNING
        server.began = server.unleased = time.monotonic()
        server.look_again = server.began + self._limits.idle_seconds
        server.log.say(f"The server started in {seconds:.2f} s.")
        PROCESS.add("preamp_compute_starts_total")
        PROCESS.add("preamp_compute_cold_start_seconds_sum", seconds)
        PROCESS.add("preamp_compute_cold_start_seconds_count")
        self._spawn(self._watch(server))

    def _note_failed(self, server: Server, error: ComputeError) -> None:
        if isinstance(error, TooMany | UnknownRelease):
            return
        wait = self._failures.note(server.release_id, str(error), lived_seconds=0)
        later = f"; next try in {wait:.1f} s at the earliest" if wait else ""
        _log.error("release %s has no server: %s%s", server.release_id, error, later)
        if server.log is not None:
            server.log.say(f"No server: {error}{later}")
        PROCESS.add("preamp_compute_failed_starts_total")

    async def _make_room(self, server: Server) -> None:
        others = [other for other in self._servers.values() if other is not server]
        if len(others) < self._limits.servers:
            return
        idle = await self._teller.idle_seconds()
        unused = [(self._idle(other, idle), other) for other in others if other.state is ServerState.RUNNING]
        for seconds, other in sorted(unused, key=lambda pair: -pair[0]):
            if seconds > 0 and await self._stop_if_idle(other, 0.0, "another one needs its place"):
                return
        raise TooMany(
            f"{len(others)} servers run and all are in use: more are allowed with the setting compute_servers"
        )

    @staticmethod
    def _idle(server: Server, idle: dict[int, float]) -> float:
        if not server.leases:
            return time.monotonic() - server.unleased
        return min(idle.get(lease, 0.0) for lease in server.leases)

    def _take_slot(self) -> int:
        slot = next(number for number in itertools.count(FIRST_SLOT) if number not in self._slots)
        self._slots.add(slot)
        return slot

    # End

    async def _watch(self, server: Server) -> None:
        """Until it ends; what ends while it is wanted has crashed."""
        assert server.instance is not None
        assert server.log is not None
        ended = await server.instance.ended()
        if server.state is not ServerState.RUNNING:
            return
        self._leave(server)
        server.state = ServerState.ENDED
        lived = time.monotonic() - server.began
        wait = self._failures.note(server.release_id, f"the server {ended.text}", lived_seconds=lived)
        again = f"in {wait:.1f} s at the earliest" if wait else "with the next request"
        server.log.say(f"The server {ended.text} after {lived:.0f} s. It is started again {again}.")
        _log.error("the server of release %s %s; started again %s", server.release_id, ended.text, again)
        PROCESS.add("preamp_compute_crashes_total")
        server.gone()
        await self._clean(server, 0)

    def broken(self, server: Server) -> None:
        """A client could not connect: look, and kill a server that lives without listening.

        Nobody gets it meanwhile: a server that has just died would be given to the client again.
        """
        if server.state is ServerState.RUNNING and server not in self._looks:
            look = self._looks[server] = self._spawn(self._look(server))
            look.add_done_callback(lambda _: self._looks.pop(server))

    async def _look(self, server: Server) -> None:
        assert server.instance is not None
        assert server.log is not None
        try:
            _, writer = await asyncio.open_unix_connection(str(server.instance.socket_path))
            writer.close()
        except OSError as error:
            if server.state is ServerState.RUNNING:
                server.log.say(f"The server does not listen any more ({error}) and is killed.")
                await server.instance.stop(0)

    async def stop_idle(self) -> None:
        """One look at servers that may be unused for long enough."""
        now = time.monotonic()
        due = [server for server in self.running if server.look_again <= now]
        seconds = self._limits.idle_seconds
        await asyncio.gather(
            *(self._stop_if_idle(server, seconds, f"nobody used it for {seconds:.0f} s") for server in due)
        )

    async def _stop_if_idle(self, server: Server, idle_seconds: float, why: str) -> bool:
        if not await server.all_idle(idle_seconds) or server.state is not ServerState.RUNNING:
            return False
        self._retire(server)
        await self._finish(server, f"Stopped: {why}.", STOP_SECONDS)
        return True

    def replace(self, server: Server, why: str, *, after: float = 0.0) -> None:
        """Let it finish what is under way and stop it. after: seconds in which clients learn of what is new
        by themselves."""
        if server.state is ServerState.RUNNING:
            self._failures.forget(server.release_id)
            self._spawn(self._replace(server, why, self._limits.drain_seconds, after))

    async def _replace(self, server: Server, why: str, seconds: float, after: float) -> None:
        await asyncio.sleep(after)
        if server.state is not ServerState.RUNNING:
            return
        self._retire(server)
        done = await server.all_given(seconds)
        cut = "" if done else f" What was still under way after {seconds:.0f} s was cut."
        await self._finish(server, f"Stopped: {why}.{cut}", STOP_SECONDS if done else CUT_SECONDS)

    async def close(self, seconds: float) -> None:
        """Stop everything; what is under way may go on for so long."""
        self._stopping = True
        deadline = time.monotonic() + seconds + STOP_SECONDS
        starting = [server.starting for server in self._all if server.starting]
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(
            *(self._replace(server, "the compute host stops", seconds, 0) for server in self.running)
        )
        if self._tasks:  # those that were replaced before
            await asyncio.wait(self._tasks, timeout=max(deadline - time.monotonic(), 0))
        await asyncio.gather(*(self._clean(server, 0) for server in list(self._all)))

    def _retire(self, server: Server) -> None:
        server.state = ServerState.RETIRING
        if self._servers.get(server.release_id) is server:
            del self._servers[server.release_id]

    async def _finish(self, server: Server, text: str, grace: float) -> None:
        assert server.log is not None
        await self._clean(server, grace)
        server.state = ServerState.ENDED
        server.gone()
        server.log.say(text)

    def _leave(self, server: Server) -> None:
        """It is given to nobody any more."""
        if self._servers.get(server.release_id) is server:
            del self._servers[server.release_id]
        if server.instance is None:
            self._release(server)

    async def _clean(self, server: Server, grace: float) -> None:
        if server.instance is not None:
            await server.instance.stop(grace)
        self._release(server)

    def _release(self, server: Server) -> None:
        if server.bundle is not None:
            server.bundle.close()
        if server.slot is not None:
            self._slots.discard(server.slot)
            server.slot = None
        self._all.discard(server)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_tell)
        return task


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a server could not be looked after", exc_info=error)
