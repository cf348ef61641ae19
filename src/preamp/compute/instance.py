"""One Node server in the sandbox: started, waited for, stopped. For the host, and for VERIFY of jobs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preamp.build.errors import SandboxError, ToolchainError
from preamp.build.logs import OutputPipe
from preamp.build.sandbox import Launch, Limits, Network, Running, Sandbox
from preamp.build.toolchain import Node
from preamp.build.watchdog import Excess, memory_of, watch
from preamp.build.workspace import remove_tree
from preamp.compute.environment import PORT, server_environment
from preamp.compute.errors import StartError
from preamp.compute.facts import Facts
from preamp.compute.logs import ServerLog
from preamp.compute.network import NetworkError, NetworkReport, OpenNetwork, open_network, resolv_conf
from preamp.compute.nodes import RuntimeNodes
from preamp.compute.places import Places

BUNDLE = "/bundle"
"""Where a server sees its bundle, wherever that is: caches that it made in its build embed paths."""
RELISTEN = "/preamp/relisten.cjs"
RESOLV_CONF = "/etc/resolv.conf"
TMP_BYTES = 512 * 1024 * 1024
PROCESSES = 512
BACKLOG = 511
"""As Node's own."""
LONGEST_SOCKET = 107
"""Bytes of a unix socket's path, a limit of the kernel's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What every server of this machine is started with."""

    sandbox: Sandbox
    nodes: RuntimeNodes
    network: NetworkReport
    places: Places
    memory_bytes: int
    cpus: float
    start_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a server ended."""

    code: int
    out_of_memory: bool
    out_of_disk: bool = False

    @property
    def text(self) -> str:
        if self.out_of_memory:
            return "was killed: it needed more memory than it may have"
        if self.out_of_disk:
            return "was killed: it wrote more than it may"
        number = -self.code if self.code < 0 else self.code - 128
        with contextlib.suppress(ValueError):
            if number > 0:
                return f"was ended by {signal.Signals(number).name}"
        return f"exited with {self.code}"


async def start_instance(
    machine: Machine, facts: Facts, *, bundle: Path, slot: int, log: ServerLog, socket_path: Path
) -> Instance:
    """Start the server of a release from its unpacked bundle and wait until it listens.

    slot: of the sandbox, for nobody else at the time. socket_path: made, and removed at the end; its name
    begins with our pid and is no other server's. Call in the main thread. Raises StartError, and OSError when
    the server's folder cannot be made.
    """
    node = await _node(machine, facts, log)
    instance = Instance(machine, facts, slot=slot, log=log, socket_path=socket_path)
    try:
        await instance.start(bundle, node)
    except BaseException:
        await instance.stop(0)
        raise
    return instance


async def _node(machine: Machine, facts: Facts, log: ServerLog) -> Node:
    try:
        choice = await machine.nodes.provide(facts.compute.runtime)
    except ToolchainError as error:
        raise StartError(str(error)) from error
    if choice.warning:
        log.say(choice.warning)
    return choice.node


class Instance:
    """A server. Made by `start_instance`."""

    def __init__(
        self, machine: Machine, facts: Facts, *, slot: int, log: ServerLog, socket_path: Path
    ) -> None:
        self._machine = machine
        self._facts = facts
        self._slot = slot
        self._log = log
        self.socket_path = socket_path
        self.start_seconds = 0.0
        """From the spawn until it listened."""
        self._work = machine.places.work / socket_path.stem
        self._network: OpenNetwork | None = None
        self._running: Running | None = None
        self._control: socket.socket | None = None
        self._ended: asyncio.Task[Ended] | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that all of its processes descend from."""
        assert self._running is not None, "it was started"
        return self._running.pid

    @property
    def memory_bytes(self) -> int:
        """What its processes hold, that of its network included. Blocking."""
        pids = [self._running.pid] if self._running else []
        pids += [self._network.carrier_pid] if self._network else []
        return sum(map(memory_of, pids))

    async def start(self, bundle: Path, node: Node) -> None:
        """Raises StartError, OSError."""
        if len(os.fsencode(self.socket_path)) > LONGEST_SOCKET:
            raise StartError(
                f"the path of the server's socket is too long for the kernel ({self.socket_path}): "
                "choose a data folder with a shorter path"
            )
        self._make_work()
        begun = time.monotonic()
        if self._machine.network.network is Network.JOINED:
            try:
                self._network = await open_network(self._machine.sandbox.owner(self._slot))
            except NetworkError as error:
                raise StartError(f"the server's network cannot be made: {error}") from error
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        self._control = ours
        pipe = OutputPipe(self._log)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            self.socket_path.unlink(missing_ok=True)
            listening.bind(str(self.socket_path))
            self.socket_path.chmod(0o600)
            listening.listen(BACKLOG)
            self._running = await self._machine.sandbox.start(
                self._launch(bundle, node, fds=(listening.fileno(), theirs.fileno()), null=null, output=pipe)
            )
        except BaseException as error:
            await pipe.finish()
            if isinstance(error, OSError | SandboxError):
                raise StartError(f"the server cannot be started: {error}") from error
            raise
        finally:
            # from here on a connection is refused as soon as the server is dead
            listening.close()
            theirs.close()
            os.close(null)
        pipe.close_writer()
        for note in self._running.notes:
            self._log.say(f"{note}")
        self._ended = asyncio.create_task(self._wait(self._running, pipe))
        await self._until_listening(ours)
        self.start_seconds = time.monotonic() - begun

    def _make_work(self) -> None:
        remove_tree(self._work)  # of a dead process that had our pid, as in containers
        self._work.mkdir(mode=0o711)
        tmp = self._work / "tmp"
        tmp.mkdir(mode=0o700)
        if owner := self._machine.sandbox.owner(self._slot):
            os.chown(tmp, *owner)

    def _launch(
        self, bundle: Path, node: Node, *, fds: tuple[int, int], null: int, output: OutputPipe
    ) -> Launch:
        machine, compute = self._machine, self._facts.compute
        placed = machine.sandbox.report.places_files
        root = PurePosixPath(BUNDLE) if placed else PurePosixPath(bundle)
        relisten = RELISTEN if placed else str(machine.places.relisten)
        environment = server_environment(
            self._facts,
            memory_bytes=machine.memory_bytes,
            tmp="/tmp" if placed else str(self._work / "tmp"),  # noqa: S108 - of the sandbox
            node_bin=PurePosixPath(node.root / "bin"),
        )
        environment |= {"PREAMP_LISTEN_FD": str(fds[0]), "PREAMP_CONTROL_FD": str(fds[1])}
        mounts = [(bundle, BUNDLE), (machine.places.relisten, RELISTEN)]
        if machine.network.network is Network.JOINED and (text := resolv_conf()):
            file = self._work / "resolv.conf"
            file.write_text(text)
            mounts.append((file, RESOLV_CONF))
        return Launch(
            argv=[str(node.root / "bin/node"), "--require", relisten, compute.entrypoint],
            environment=environment,
            workspace=self._work,
            cwd=str(root / "compute" / compute.name),
            slot=self._slot,
            stdin=null,
            stdout=output.write_fd,
            stderr=output.write_fd,
            pass_fds=fds,
            read_only=() if node.system else (node.root,),
            limits=Limits(memory_bytes=machine.memory_bytes, cpus=machine.cpus, processes=PROCESSES),
            mounts=tuple(mounts),
            tmp_bytes=TMP_BYTES,
            network=machine.network.network,
            network_of=self._network.pid if self._network else None,
        )

    async def _until_listening(self, control: socket.socket) -> None:
        assert self._ended is not None
        loop = asyncio.get_running_loop()
        said = asyncio.ensure_future(loop.sock_recv(control, 64))
        try:
            done, _ = await asyncio.wait(
                {said, self._ended},
                timeout=self._machine.start_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            said.cancel()  # nobody is to watch a descriptor that is closed soon
        if said in done and not said.exception() and said.result():
            return
        if said in done:  # the end of the stream: it is dying
            done, _ = await asyncio.wait({self._ended}, timeout=self._machine.start_seconds)
        if self._ended in done:
            raise StartError(f"the server {self._ended.result().text} before it listened{self._last()}")
        raise StartError(
            f"the server did not listen on port {PORT} (PORT) within {self._machine.start_seconds:g} s "
            f"(the setting compute_start_seconds){self._last()}"
        )

    def _last(self) -> str:
        self._log.flush()
        lines = self._log.last_lines
        return ". Its last lines:\n" + "\n".join(lines) if lines else " and printed nothing"

    async def _wait(self, running: Running, pipe: OutputPipe) -> Ended:
        watching = asyncio.create_task(self._watch(running))
        code = await running.wait()
        watching.cancel()
        await pipe.finish()
        (excess,) = await asyncio.gather(watching, return_exceptions=True)
        memory = excess is Excess.MEMORY or running.out_of_memory() or self._log.heap_exhausted
        disk = excess in {Excess.DISK, Excess.SPACE}
        return Ended(code=code, out_of_memory=memory, out_of_disk=disk)

    async def _watch(self, running: Running) -> Excess | None:
        """Bounds that the kernel does not keep."""
        limits = Limits(
            memory_bytes=None if "memory" in running.limited else self._machine.memory_bytes,
            disk_bytes=None if self._machine.sandbox.report.places_files else TMP_BYTES,
        )
        return None if limits == Limits() else await watch(running, limits, self._work)

    async def ended(self) -> Ended:
        """Wait until all of its processes are dead."""
        assert self._ended is not None, "it was started"
        return await asyncio.shield(self._ended)

    async def stop(self, grace_seconds: float) -> None:
        """Let it finish for so long, then kill it; remove what it had. The first call decides how long."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace_seconds))
        # shielded: whoever does not want to wait for it any more leaves nothing half done
        await asyncio.shield(self._stopping)

    async def _stop(self, grace_seconds: float) -> None:
        if self._control is not None:
            self._control.close()  # tells it to stop
            self._control = None
        if self._ended is not None and self._running is not None:
            if grace_seconds > 0:
                await asyncio.wait({self._ended}, timeout=grace_seconds)
            if not self._ended.done():
                self._running.kill()
            await asyncio.wait({self._ended})
        if self._network is not None:
            await self._network.close()
        self.socket_path.unlink(missing_ok=True)
        await asyncio.to_thread(remove_tree, self._work)
