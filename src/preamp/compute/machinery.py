"""Puts the parts of a compute host together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from preamp.background import Background
from preamp.build.errors import SandboxUnavailable
from preamp.build.sandbox import Sandbox, probe
from preamp.build.sandbox.orphans import kill_orphans
from preamp.build.toolchain import Toolchains
from preamp.compute.bundles import Bundles
from preamp.compute.errors import ComputeError
from preamp.compute.facts import FactsMemory, FactsReader
from preamp.compute.follow import Finder, Follower
from preamp.compute.host import FIRST_SLOT, Host, Limits, UseTeller
from preamp.compute.instance import Instance, Machine
from preamp.compute.logs import remove_old
from preamp.compute.network import probe_network
from preamp.compute.nodes import RuntimeNodes
from preamp.compute.places import Places, make_places, remove_leftovers
from preamp.settings import Settings
from preamp.store.counters import PROCESS, keep_written
from preamp.store.folder import DataFolder
from preamp.store.stores import Stores, listen_to_changes, load_master, open_stores

if TYPE_CHECKING:
    from preamp.store.listen import HeardChanges

_log = logging.getLogger(__name__)
MIB = 1024 * 1024
LONGEST_LOOK_SECONDS = 5.0
"""Between two looks for servers that nobody uses."""
MEMORY_SECONDS = 10.0
"""Between two looks at the memory of servers."""
OLD_LOGS_SECONDS = 3600.0


class Machinery:
    """A working host with everything it needs. Made by `open_machinery`."""

    def __init__(
        self,
        host: Host,
        stores: Stores,
        settings: Settings,
        heard: HeardChanges | None,
        background: Background,
    ) -> None:
        self.host = host
        self._stores = stores
        self._settings = settings
        self._heard = heard
        self._background = background

    async def close(self) -> None:
        """Servers may finish what is under way."""
        await self.host.close(self._settings.drain_seconds)
        try:
            await self._background.end()
        finally:
            if self._heard is not None:
                self._heard.close()
            self._stores.close()


async def open_machinery(settings: Settings, teller: UseTeller, stop: asyncio.Event) -> Machinery:
    """`stop` is set when it cannot go on. Raises ComputeError, SettingsError, SealError and OSError."""
    folder = DataFolder(settings.data)
    try:
        sandbox = await asyncio.to_thread(probe, insecure_no_sandbox=settings.insecure_no_sandbox)
    except SandboxUnavailable as error:
        raise ComputeError(str(error)) from error
    machine = await machine_of(settings, folder, sandbox, slot=FIRST_SLOT)
    master = load_master(settings)
    memory = FactsMemory(machine.places.known, master)
    await asyncio.to_thread(_sweep, machine.places, memory)
    # last of what may fail: there is something to close from here on
    stores = open_stores(settings, read_only=True)
    bundles = Bundles(machine.places.bundles, stores.blobs, max_bytes=settings.compute_cache_bytes)
    reader = FactsReader(stores.database, stores.blobs, master)
    host = Host(
        machine=machine,
        bundles=bundles,
        limits=Limits(
            servers=settings.compute_servers,
            idle_seconds=settings.compute_idle_seconds,
            drain_seconds=settings.compute_drain_seconds,
        ),
        find=Finder(reader, memory),
        teller=teller,
    )
    heard = listen_to_changes(settings)
    follower = Follower(stores.database, reader, host, heard or stores.database.bell)
    gauge = _Gauge(host)
    background = Background(stop)
    background.add("following changes", follower.keep_following())
    background.add("stopping idle servers", _keep_idle_away(host, settings.compute_idle_seconds))
    background.add("measuring", gauge.keep_measuring())
    background.add("counting", keep_written(folder.run, "compute", before=gauge.show))
    background.add("removing old logs", _keep_logs_small(machine.places.logs))
    return Machinery(host, stores, settings, heard, background)


async def machine_of(settings: Settings, folder: DataFolder, sandbox: Sandbox, *, slot: int) -> Machine:
    """What servers are started with; tried with the user of `slot`. Raises ComputeError."""
    owner = sandbox.owner(slot)
    network = await probe_network(sandbox, settings.compute_network, slot)
    say = _log.warning if network.problem else _log.info
    say("%s", network.text)
    if sandbox.report.weak:
        _log.warning("servers of releases are isolated weakly: %s", sandbox.report.summary)
    try:
        places = await asyncio.to_thread(make_places, folder, owner)
        nodes = RuntimeNodes(Toolchains(folder.toolchains, owner))
    except OSError as error:
        raise ComputeError(f"the folders of servers cannot be made: {error}") from error
    return Machine(
        sandbox=sandbox,
        nodes=nodes,
        network=network,
        places=places,
        memory_bytes=settings.compute_memory_mb * MIB,
        cpus=settings.compute_cpus,
        start_seconds=settings.compute_start_seconds,
    )


def _sweep(places: Places, memory: FactsMemory) -> None:
    """What hosts left that were killed; their servers died with them."""
    kill_orphans()
    for folder in (places.bundles, places.work, places.sockets):
        remove_leftovers(folder)
    memory.sweep()
    remove_old(places.logs)


async def _keep_idle_away(host: Host, idle_seconds: float) -> None:
    while True:
        await asyncio.sleep(min(idle_seconds / 4, LONGEST_LOOK_SECONDS))
        try:
            await host.stop_idle()
        except Exception:  # noqa: BLE001 (one that cannot be stopped must not keep the others running)
            _log.exception("servers that nobody uses could not be stopped; the next look may do it")


async def _keep_logs_small(folder: Path) -> None:
    while True:
        await asyncio.sleep(OLD_LOGS_SECONDS)
        await asyncio.to_thread(remove_old, folder)


def _memory_of(instances: Sequence[Instance]) -> int:
    return sum(instance.memory_bytes for instance in instances)


class _Gauge:
    """Numbers for `/_preamp/metrics`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._memory = 0

    def show(self) -> None:
        PROCESS.set("preamp_compute_servers", len(self._host.running))
        PROCESS.set("preamp_compute_memory_bytes", self._memory)

    async def keep_measuring(self) -> None:
        while True:
            instances = [server.instance for server in self._host.running if server.instance]
            self._memory = await asyncio.to_thread(_memory_of, instances)
            await asyncio.sleep(MEMORY_SECONDS)
