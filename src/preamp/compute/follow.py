"""Keeps the host's servers in step with what branches serve and with what they are configured to."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from preamp.compute.errors import UnknownRelease
from preamp.compute.facts import Facts, FactsMemory, FactsReader, Known
from preamp.compute.host import Host, Wanted
from preamp.compute.server import Server
from preamp.model.errors import DependentServiceFailure
from preamp.store import changes
from preamp.store.bell import ChangeSignal
from preamp.store.database import Database
from preamp.store.manifests import ManifestError
from preamp.store.sealing import SealError

_log = logging.getLogger(__name__)
AWAY = (SQLAlchemyError, OSError, DependentServiceFailure)
LOOK_SECONDS = 0.2
"""Between two looks at the signal, which cost nothing."""
POLL_SECONDS = 5.0
"""Between two looks at the change log without a signal: a process may die between its commit and its ring."""
EDGES_SECONDS = 1.0
"""In which edges have seen a switch: then nobody asks for the old release by mistake."""


class Finder:
    """What releases are started with: from the database, or as it was last seen when that is away."""

    def __init__(self, reader: FactsReader, memory: FactsMemory) -> None:
        self._reader = reader
        self._memory = memory

    async def __call__(self, release_id: str) -> Wanted:
        """Raises UnknownRelease."""
        try:
            known = await asyncio.to_thread(self._reader.read, release_id)
        except (ManifestError, SealError) as error:
            raise UnknownRelease(str(error)) from error
        except AWAY as error:
            _log.warning("the database is away, release %s is started as it was: %s", release_id, error)
            return await self._remembered(release_id)
        try:
            if known is None:
                await asyncio.to_thread(self._memory.forget, release_id)
            else:
                await asyncio.to_thread(self._memory.put, known.facts)
        except OSError as error:
            _log.error("what starts release %s cannot be kept for later: %s", release_id, error)
        if known is None:
            raise UnknownRelease(f"there is no release {release_id} with a server (any more)")
        return Wanted(facts=known.facts, served=known.active == release_id)

    async def _remembered(self, release_id: str) -> Wanted:
        try:
            facts = await asyncio.to_thread(self._memory.get, release_id)
        except (OSError, SealError, msgspec.DecodeError) as error:
            raise UnknownRelease(f"release {release_id} is not known: {error}") from error
        if facts is None:
            raise UnknownRelease(f"release {release_id} never ran here, and the database is away")
        return Wanted(facts=facts, served=True)


class Follower:
    """Watches the change log."""

    def __init__(
        self, database: Database, reader: FactsReader, host: Host, signal: ChangeSignal | None
    ) -> None:
        self._database = database
        self._reader = reader
        self._host = host
        self._signal = signal
        self._heard: int | None = None
        self._seq: int | None = None
        self._judged: frozenset[Server] = frozenset()
        """Those that ran at the last look; a change may have come while the others started."""

    async def keep_following(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        next_poll = 0.0
        failing = False
        while True:
            value = self._signal.value if self._signal else None
            if value != self._heard or loop.time() >= next_poll:
                self._heard = value
                next_poll = loop.time() + POLL_SECONDS
                try:
                    await self.catch_up()
                    failing = False
                except AWAY as error:
                    _log.debug("the change log cannot be read: %s", error)
                except Exception:  # noqa: BLE001 (servers run on as they are; the next look may do it)
                    if not failing:
                        _log.exception("changes cannot be followed")
                    failing = True
            await asyncio.sleep(LOOK_SECONDS)

    async def catch_up(self) -> None:
        """Look at new servers and those of all apps that changed. Raises what the database raises."""
        running = self._host.running
        seq, changed = await asyncio.to_thread(self._changed)
        for server in running:
            if changed is not None and server in self._judged and _facts(server).app_id not in changed:
                continue
            try:
                known = await asyncio.to_thread(self._reader.read, server.release_id)
            except (ManifestError, SealError) as error:
                _log.error("release %s runs on as it is: %s", server.release_id, error)
                continue
            self._judge(server, known)
        self._seq, self._judged = seq, frozenset(running)

    def _judge(self, server: Server, known: Known | None) -> None:
        if known is None:
            self._host.replace(server, "its release was removed")
            return
        served = known.active == server.release_id
        if server.served and not served:
            if known.active is not None:
                self._host.warm(known.active)
            self._host.replace(server, "its branch serves another release", after=EDGES_SECONDS)
        elif known.facts != server.facts:
            self._host.replace(server, "its variables changed")
        else:
            server.served = served

    def _changed(self) -> tuple[int, frozenset[str] | None]:
        """The newest change, and the apps that changed since the last look; None: it may be any."""
        with self._database.read() as conn:
            newest = changes.latest(conn)
            if newest == self._seq:
                return newest, frozenset()
            if self._seq is None or newest < self._seq:
                return newest, None
            rows = changes.since(conn, self._seq)
        told = rows and rows[0][0] == self._seq + 1  # else the log was pruned past our place
        return newest, frozenset(app_id for _, app_id in rows) if told else None


def _facts(server: Server) -> Facts:
    assert server.facts is not None, "a running server"
    return server.facts
